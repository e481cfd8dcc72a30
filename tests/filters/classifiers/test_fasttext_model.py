"""Training by fastText: two classes, whatever the texts hold."""

from __future__ import annotations

import fasttext
import numpy as np
import pytest
from classifier_driver import large
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.filters.classifiers.fasttext_model import FastTextOptions, train_fasttext
from eyas.filters.classifiers.text import PLAIN, one_line

PIECES = ["\n", "\r", "\0", "\t", " ", "</s>", "__label__", "<", "/s>", "a", "好", "\u2028", "\x85", "\ufeff"]
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


@settings(deadline=None, max_examples=10)
@given(st.lists(HOSTILE, min_size=4, max_size=8))
def test_training_knows_two_classes_whatever_the_texts_say(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    lines = [f"{line} w" for line in one_line(large(texts), PLAIN)]
    labels = np.arange(len(lines)) % 2 == 0
    options = FastTextOptions(dim=2, buckets=10, min_count=1, epochs=1)
    path = train_fasttext(lines, labels, options, 1, tmp_path_factory.mktemp("m"))
    assert sorted(fasttext.load_model(str(path)).get_labels()) == ["__label__negative", "__label__positive"]
