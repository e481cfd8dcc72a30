"""The packing report: best fit pads a fraction of a percent, greedy cropping loses a fifth, and groups add up."""

from __future__ import annotations

import numpy as np

from eyas.shards.packing_report import CROPPED, added, comparison, histogram


def test_padding_of_realistic_lengths_is_a_fraction_of_a_percent() -> None:
    """Log-normal lengths as of web text, mean about 900 tokens, in rows of 2,048."""
    lengths = np.random.default_rng(0).lognormal(6.3, 1.0, 20_000).astype(np.int64) + 1
    ways = comparison(lengths, 2048)
    assert 0 <= ways["best_fit"]["padding"] / (ways["best_fit"]["rows"] * 2048) < 0.005
    assert ways["best_fit"]["padding"] <= ways["first_fit"]["padding"]
    assert ways["concat"]["short_split"] > 1000
    assert ways["best_fit"]["short_split"] == ways["first_fit"]["short_split"] == 0
    assert [ways[how]["lost"] for how in ("best_fit", "first_fit", "concat")] == [0, 0, 0]
    assert ways[CROPPED]["lost"] > 0.2 * lengths.sum()


def test_groups_add_up() -> None:
    lengths = np.array([0, 1, 2, 3, 4, 900, 16], np.int64)
    assert histogram(lengths) == [2, 2, 1, 0, 1, 0, 0, 0, 0, 1]
    entries = [{"ways": comparison(part, 16), "histogram": histogram(part)} for part in (lengths, lengths[:3])]
    ways, sizes = added(entries)
    assert sizes == [4, 3, 1, 0, 1, 0, 0, 0, 0, 1]
    assert ways["concat"]["rows"] == entries[0]["ways"]["concat"]["rows"] + 1
