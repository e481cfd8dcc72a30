"""Writes new text from old: rewriting by a language model. What it makes goes through the later stages like any document."""

STAGES = {
    "rewrite": "eyas.synthetic.rewrite:Rewrite",
    "annotate": "eyas.synthetic.annotate:Annotate",
    "fill_in_middle": "eyas.synthetic.long_context.fill_in_middle:FillInMiddle",
    "reorder_segments": "eyas.synthetic.long_context.reorder_segments:ReorderSegments",
    "join_repository": "eyas.synthetic.long_context.join_repository:JoinRepository",
    "join_related": "eyas.synthetic.long_context.join_related:JoinRelated",
    "retrieval_task": "eyas.synthetic.long_context.retrieval_task:RetrievalTask",
}
"""Stages by name, as a plugin declares its own."""
