"""`eyas tokenizer …`: the group of tokenizer commands."""

# Tested in tests/end_to_end/test_tokenizer_cli.py.

from __future__ import annotations

from eyas.pipelines.cli import tokenizer_encode, tokenizer_report, tokenizer_surgery, tokenizer_train
from eyas.pipelines.cli.help import BUILD, Verbs

app = Verbs("tokenizer", "Train tokenizers, encode with them, compare them, operate on them.", BUILD)
for verb in (tokenizer_train, tokenizer_encode, tokenizer_report, tokenizer_surgery):
    app.add_typer(verb.app)
