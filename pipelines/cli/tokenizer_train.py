"""`eyas tokenizer train`: byte-level BPE vocabularies from any text."""

# Tested in tests/end_to_end/test_tokenizer_cli.py.

from __future__ import annotations

from typing import Annotated, Any

import typer

from eyas.errors import UsageError
from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console
from eyas.pipelines.cli.help import Verbs

app = Verbs()

Paths = Annotated[
    list[str],
    typer.Argument(
        help="Text to learn from: a run's folder, Parquet, JSON lines (plain or compressed), text files, or folders of "
        "those.",
        metavar="PATH",
    ),
]
VocabSize = Annotated[
    list[int] | None,
    typer.Option(
        help="Exact size of a vocabulary; may be repeated: one training gives all sizes. Default: 32768.",
        min=300,
        metavar="N",
    ),
]
Pretokenizer = Annotated[
    str | None,
    typer.Option(
        help="Cut text as a published model does: {eyas.tokenizer_train.patterns.CHOICES_IN_WORDS}. Default: as the "
        "--split options say.",
        metavar="NAME",
    ),
]
SplitDigits = Annotated[str | None, typer.Option(help="each, groups_of_3 or none. Default: each.", metavar="WAY")]
SplitPunctuation = Annotated[
    bool | None,
    typer.Option(
        "--split-punctuation/--join-punctuation", help="Whether each symbol is apart. Default: --split-punctuation."
    ),
]
SplitCjk = Annotated[bool | None, typer.Option("--split-cjk", help="Keep Han and kana apart from other letters.")]
Latex = Annotated[
    str | None,
    typer.Option(
        help="LaTeX commands as single tokens: builtin, corpus (the most frequent ones in the text), none, or a list "
        "such as '\\frac,\\sqrt'. Default: builtin, or none if --pretokenizer is not falcon-h1.",
        metavar="COMMANDS",
    ),
]
Reserved = Annotated[int, typer.Option(help="Ids to keep free for later. Falcon-H1 has 1024.", min=0, metavar="N")]
MinFrequency = Annotated[int, typer.Option(help="Pairs that occur less often are not merged.", min=1, metavar="N")]
CountAs = Annotated[
    list[str] | None,
    typer.Option(
        help="How often each document of a source or a language counts, such as web=2 or lang:hi=4; may be repeated.",
        metavar="NAME=FACTOR",
    ),
]
Memory = Annotated[str, typer.Option(help="Memory that counting and learning may take, about.", metavar="SIZE")]
TrainBytes = Annotated[
    str, typer.Option(help="Learn from about this much text, spread over all of it.", metavar="SIZE")
]
Weight = Annotated[
    list[str] | None,
    options.moved("--weight", "a factor, not a share, is meant here: write --count-as NAME=FACTOR"),
]


@app.verb(
    "eyas tokenizer train docs/ --out tok --vocab-size 32768",
    "eyas tokenizer train docs/ --out tok --vocab-size 65536 --vocab-size 261120 --reserved 1024 --latex corpus",
    "eyas tokenizer train web.jsonl.gz code/ --out tok --pretokenizer llama-3 --latex none --count-as web=2",
)
def train(
    paths: Paths,
    out: Annotated[str, typer.Option(help="Folder for tokenizer.json and tokenizer_config.json.", metavar="FOLDER")],
    vocab_size: VocabSize = None,
    pretokenizer: Pretokenizer = None,
    split_digits: SplitDigits = None,
    split_punctuation: SplitPunctuation = None,
    split_cjk: SplitCjk = None,
    latex: Latex = None,
    reserved: Reserved = 0,
    min_frequency: MinFrequency = 2,
    count_as: CountAs = None,
    memory: Memory = "4GB",
    train_bytes: TrainBytes = "2GB",
    runs: options.Runs = "runs",
    workers: options.Workers = None,
    ray_address: options.RayAddress = None,
    seed: options.Seed = 0,
    weight: Weight = None,
) -> None:
    """Train byte-level BPE vocabularies, all sizes at once, exact and in bounded memory."""
    cuts = {"pretokenizer": pretokenizer, "split_digits": split_digits, "split_punctuation": split_punctuation}
    tokenizer: dict[str, Any] = {
        "vocab_sizes": sorted(set(vocab_size or [32768])),
        **{name: value for name, value in {**cuts, "split_cjk": split_cjk}.items() if value is not None},
        "latex": _latex(latex or ("builtin" if pretokenizer in (None, "falcon-h1") else "none")),
        "reserved_tokens": reserved,
        "min_frequency": min_frequency,
        "weights": _factors(count_as or []),
        "memory": memory,
        "train_bytes": train_bytes,
    }
    _train(paths, out, tokenizer, runs, workers, ray_address, seed)


def _latex(given: str) -> dict[str, Any] | None:
    if given == "none":
        return None
    return {"inject": given if given in ("builtin", "corpus") else [name.strip() for name in given.split(",")]}


def _factors(given: list[str]) -> dict[str, dict[str, float]]:
    factors: dict[str, dict[str, float]] = {"source": {}, "lang": {}}
    for item in given:
        name, sign, value = item.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not sign or not name or number < 0:
            raise UsageError(f"--count-as {item}: expected NAME=NUMBER for a source, or lang:CODE=NUMBER")
        factors["lang" if name.startswith("lang:") else "source"][name.removeprefix("lang:")] = number
    return factors


def _train(
    paths: list[str],
    out: str,
    tokenizer: dict[str, Any],
    runs: str,
    workers: int | None,
    ray_address: str | None,
    seed: int,
) -> None:
    import tempfile
    from pathlib import Path

    from eyas.corpus.store import Store
    from eyas.pipelines.api import execute, plan
    from eyas.pipelines.cli.progress import TerminalObserver, print_products
    from eyas.pipelines.recipe.tokenizer_recipe import checked, copy_products, recipe_text, run_name

    if "://" not in out and Path(out).is_file():
        raise UsageError(f"--out {out}: is a file; expected a folder")
    checked(tokenizer)
    name = run_name(out)
    with tempfile.TemporaryDirectory() as scratch:
        recipe = Path(scratch) / "recipe.yaml"
        recipe.write_text(recipe_text(paths, name, seed, tokenizer), encoding="utf-8")
        planned = plan(str(recipe))
        known = [entry.name for entry in planned.recipe.options.sources]
        for source in tokenizer["weights"]["source"]:
            if source not in known:
                raise UsageError(f"--count-as {source}=…: no such source; there are {', '.join(known)}")
        terminal = console()
        store = Store(f"{runs.rstrip('/')}/{name}")
        observer = TerminalObserver(terminal, store, None)
        try:
            outcome = execute(planned, runs, workers=workers, ray_address=ray_address, observer=observer, replace=True)
        finally:
            observer.close()
    print_products(terminal, outcome)
    for path in copy_products(store, tokenizer["vocab_sizes"], out):
        terminal.print(f"{'written':>10}  {path}")
    terminal.print(f"{'report':>10}  {store.name('report.html')}")
