"""Long documents and long-range tasks out of what is there, without a language model. One file per stage.

Every stage can be undone: `fill_in_middle.restore` and `reorder_segments.restore` give the text back from the text itself,
`joined.restore` the parents of a joined text by its column `spans`; byte for byte, which the tests ask of hostile Unicode.
"""
