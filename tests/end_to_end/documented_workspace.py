"""A folder with everything that documented command lines name: one small run under all its names, and stand-ins."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import shutil
import sys
import sysconfig
import tarfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from documented import ROOT, code_blocks

MODEL = "{d_model: 16, d_ff: 16, layers: 1, head_dim: 8, ssm_heads: 2, ssm_head_dim: 8, ssm_state: 4, chunk_size: 8}"
"""A shape of some 20,000 parameters."""
PLUGINS = ("my_stages", "my_sources")
_QUICKSTART = (
    (
        r"sources:\n(?:.*\n)+?\n",
        "alarms: {floor: 0}\nsources:\n  - name: web\n    files: {path: ../../web}\n  - name: code\n"
        "    files: {path: ../../code, glob: ['**/*.py', '**/*.md']}\n\n",
    ),
    (r"only: \{source: prose\}\n", "only: {source: web}\n"),
    (r"partition_bytes: 8MB", "partition_bytes: 200KB"),
    (r"  - rewrite: .*\n", ""),
    (r"vocab_sizes: \[4096, 8192\]", "vocab_sizes: [600]"),
    (r"sequence_length: 1024, held_out: 0.02", "sequence_length: 256, held_out: 0.03"),
    (r"steps: 50, batch_size: 8, checkpoint_every: 20", f"steps: 12, batch_size: 2, model: {MODEL}"),
)
_MY_CORPUS = (
    (r"path: \"\$\{python_env\}\"", "path: web"),
    (r"vocab_sizes: \[2048\]", "vocab_sizes: [600]"),
    (r"sequence_length: 512", "sequence_length: 256"),
    (r"steps: 20", f"steps: 2, model: {MODEL}"),
)
"""What makes a recipe of the documentation small: patterns, and what stands in their place."""


def prepare(place: Path) -> None:
    """Fills a folder, which must be the current one, with what commands read before there is a run."""
    _inputs(place)
    _recipes(place)
    shutil.copytree(ROOT / "synthetic/prompts/distill", "my/prompts/letters")


def run_recipes(place: Path) -> None:
    """Adds runs to a prepared folder, the current one, and copies of what they made."""
    for recipe in ("pipelines/recipes/quickstart.yaml", "my_corpus.yaml", "recipe.yaml"):
        call("run", recipe, "--workers", "0")
    runs = place / "runs"
    shutil.copytree(runs / "quickstart", runs / "tuesday")
    for name in ("web", "math", "latex", "plain"):
        (runs / name).symlink_to("quickstart")
    with tarfile.open(ROOT / "tests/first_edition/first.tar.xz") as archive:
        archive.extractall(place / "first_edition", filter="data")
    (place / "first_edition/runs/first").rename(runs / "monday")
    shutil.copytree(runs / "quickstart/shards", "shards")
    shutil.copytree(runs / "quickstart/model", "model")
    call("export", "hf", "runs/quickstart", "falcon-h1-0.5b")
    for name in ("papers", "more"):
        shutil.copy(runs / "quickstart/curated/part-00000.parquet", f"{name}.parquet")
    _tokenizers(place)


def call(*words: str) -> None:
    """The command line in this process, for what tests prepare; a failure shows its output."""
    from eyas.pipelines.cli import app as cli

    output, argv = io.StringIO(), sys.argv
    sys.argv = ["eyas", *words]
    try:
        with redirect_stdout(output), redirect_stderr(output):
            cli.main()
    except SystemExit as end:
        assert not end.code, f"eyas {' '.join(words)}: {output.getvalue()}"
    finally:
        sys.argv = argv


def forget_plugins() -> None:
    """Takes plugins out of this process: other tests have plugins of the same names."""
    for name in PLUGINS:
        sys.modules.pop(name, None)


def _inputs(place: Path) -> None:
    for name in ("web", "code/numpy", "notes", "data"):
        (place / name).mkdir(parents=True)
    pages = sorted((ROOT / "docs").rglob("*.md"))
    shutil.copytree(ROOT / "docs", "docs", ignore=lambda _, names: [n for n in names if n.endswith((".svg", ".png"))])
    for page in pages:
        shutil.copy(page, place / "web" / f"{page.parent.name}-{page.name}")
    (place / "web/de.md").write_text("Dies ist ein deutscher Text über die Vögel, die im Winter bleiben.\n" * 9)
    modules = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    readable = [path for path in modules if 4_000 < path.stat().st_size < 20_000]
    for path in readable[:60]:
        shutil.copy(path, place / "code")
    shutil.copy(readable[60], place / "code/numpy/conftest.py")
    (place / "web/descr").mkdir()
    shutil.copy(ROOT / "README.md", place / "web/descr/diabetes.rst")
    (place / "notes/quiet.txt").write_text("A quiet sentence about numbers such as 12345.\n" * 20)
    (place / "notes/loud.txt").write_text("THIS IS SHOUTED\n")
    for page in pages[:6]:
        shutil.copy(page, place / "notes" / f"{page.stem}.txt")
    with gzip.open("web.jsonl.gz", "wt", encoding="utf-8") as lines:
        for page in pages:
            lines.write(json.dumps({"text": page.read_text(encoding="utf-8")}) + "\n")


def _recipes(place: Path) -> None:
    folder = place / "pipelines/recipes"
    folder.mkdir(parents=True)
    for path in (ROOT / "pipelines/recipes").glob("*.yaml"):
        shutil.copy(path, folder)
    quickstart = (folder / "quickstart.yaml").read_text(encoding="utf-8")
    (folder / "quickstart.yaml").write_text(_smaller(quickstart, _QUICKSTART))
    Path("my_corpus.yaml").write_text(_smaller(code_blocks("first_recipe.md", "yaml")[-1], _MY_CORPUS))
    Path("recipe.yaml").write_text(code_blocks("extend/filter.md", "yaml")[0])
    for page, name in (("extend/filter.md", "my_stages"), ("extend/source.md", "my_sources")):
        Path(f"{name}.py").write_text(code_blocks(page, "python")[0])


def _smaller(text: str, changes: tuple[tuple[str, str], ...]) -> str:
    for pattern, small in changes:
        text, count = re.subn(pattern, lambda _, small=small: small, text)
        assert count == 1, pattern
    return text


def _tokenizers(place: Path) -> None:
    """Tokenizers of 600 tokens and some of other sizes and patterns, under the names of the documentation."""
    ours = place / "runs/quickstart/tokenizer"
    for name in ("tok", "tok/8192", "tok/16384", "a", "b", "ours"):
        shutil.copytree(ours, name, dirs_exist_ok=True)
    train = ("tokenizer", "train", "code", "--workers", "0", "--min-frequency", "1")
    call(*train, "--vocab-size", "600", "--vocab-size", "700", "--out", "tok-64k")
    shutil.copytree("tok-64k/600", "tok-32k")
    call(*train, "--vocab-size", "8200", "--out", "large")
    shutil.copy("large/tokenizer.json", "tokenizer.json")
    for name in ("llama-3", "cl100k"):
        call(*train, "--vocab-size", "600", "--pretokenizer", name, "--out", name.replace("-", ""))
    _rank_file(Path("cl100k/tokenizer.json"), Path("cl100k.tiktoken"))


def _rank_file(tokenizer: Path, ranks: Path) -> None:
    """A rank file of tiktoken with the tokens of a tokenizer.json."""
    from eyas.tokenizer_train.alphabet import to_bytes

    vocabulary = json.loads(tokenizer.read_text(encoding="utf-8"))["model"]["vocab"]
    tokens = [to_bytes(token) for token in vocabulary if not token.startswith("<|")]
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)]
    ranks.write_text("".join(lines))
