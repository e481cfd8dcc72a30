"""Stages that make long documents and long-range tasks from the corpus itself, without a language model.

Every stage can be undone byte for byte, which tests check with hostile Unicode: `fill_in_middle.restore` and
`reorder_segments.restore` give back a document from its text, `joined.restore` gives the parents of a joined text from its
column `spans`.
"""
