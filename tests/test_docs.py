"""What docs, docstrings and help pages name is there, and the references are what the code says."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from documented import PAGES, ROOT, click_commands, command_blocks

ROOMS = ("text_kernels", "corpus", "filters", "synthetic", "tokenizer_train", "shards", "trainer", "pipelines")
SOURCES = sorted(
    path
    for folder in (*ROOMS, "benchmarks", "src/eyas")
    for path in (ROOT / folder).rglob("*.py")
    if not path.is_symlink()
)
REFERENCES = ("recipe_reference", "stage_reference", "cli_reference")

_PATH = re.compile(r"(?<![\w/.:<>{}*])((?:[a-z_]+/)+[\w.-]+\.(?:py|md|yaml|json|jinja|toml|svg|png|txt))(?![\w/*])")
_MODULE = re.compile(r"\beyas(?:\.[A-Za-z_]\w*)+")
_BENCHMARK = re.compile(r"(?:python -m |`)benchmarks\.(\w+)")
_LINK = re.compile(r"\]\(([^)#\s]+)?(#[^)\s]+)?\)")
_COMMAND = re.compile(r"\beyas [a-z][^`\n]*")
# Paths of a user's own, and of what a run leaves: `runs/…`, `shards/index.json`.
_NOT_OURS = ("runs/", "tokenizer/", "curated/", "ledger/", "passes/", "model/", "exported/", "in/", "data/")


def docstrings(path: Path) -> Iterator[str]:
    """All docstrings of a file, those of attributes included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


@cache
def texts() -> list[tuple[str, str]]:
    """Every text that is read by people: where it stands, and what it says."""
    pages = [(str(page.relative_to(ROOT)), _without_exercises(page)) for page in PAGES]
    code = [(str(path.relative_to(ROOT)), "\n\n".join(docstrings(path))) for path in SOURCES]
    comments = [
        (
            str(path.relative_to(ROOT)),
            "\n".join(re.findall(r"#\s(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)),
        )
        for path in SOURCES
    ]
    return [*pages, *code, *comments]


def _without_exercises(page: Path) -> str:
    """A page without the files that its exercises make: they name what the reader is to write."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"```python\n.*?```", "", text, flags=re.DOTALL) if page.parent.name == "extend" else text


def exists(name: str) -> bool:
    """Whether `eyas.room.module.attribute` can be imported, or looked up."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            thing: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[end:]:
            fields = getattr(thing, "model_fields", {}) | getattr(thing, "__annotations__", {})
            if not hasattr(thing, attribute) and attribute not in fields:
                return False
            thing = getattr(thing, attribute, None)
        return True
    return False


def is_ours(path: str) -> bool:
    return path.split("/")[0] in (*ROOMS, "docs", "tests", "benchmarks", "src")


def test_paths_that_are_named_are_there() -> None:
    missing = [
        f"{place}: {path}"
        for place, text in texts()
        for path in _PATH.findall(text)
        if is_ours(path)
        and not path.startswith(_NOT_OURS)
        and not (ROOT / path).exists()
        and not (path.startswith("shards/") and path.endswith(".json"))
    ]
    assert missing == []


def test_modules_and_names_that_are_named_are_there() -> None:
    named = {(place, name.rstrip(".")) for place, text in texts() for name in _MODULE.findall(text)}
    groups = ("eyas.stages", "eyas.sources", "eyas.lines")  # entry points and a table of pyproject.toml
    assert [(place, name) for place, name in sorted(named) if name not in groups and not exists(name)] == []


def test_figures_name_benchmarks_that_are_there() -> None:
    log = ("docs/log.md", (ROOT / "docs/log.md").read_text(encoding="utf-8"))
    named = {(place, name) for place, text in [*texts(), log] for name in _BENCHMARK.findall(text)}
    assert [
        (place, name)
        for place, name in sorted(named)
        if not any((ROOT / "benchmarks" / file).exists() for file in (f"{name}.py", f"{name}/__main__.py"))
    ] == []


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
            if target.startswith(("http", "mailto")):
                continue
            file = (page.parent / target).resolve() if target else page
            if not file.exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
            elif anchor and file.suffix == ".md" and anchor[1:] not in anchors(file):
                broken.append(f"{page.relative_to(ROOT)}: {target}{anchor}")
    assert broken == []


@cache
def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_line_of_a_page_is_longer_than_a_diff_can_show() -> None:
    long = [
        f"{page.relative_to(ROOT)}:{number}: {len(line)} characters"
        for page in PAGES
        if page.stem not in REFERENCES
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 240 and not line.startswith("|")
    ]
    assert long == []


def commands() -> list[tuple[str, str]]:
    """Every command line of Eyas that a page, a docstring or a help text shows."""
    found = []
    for place, text in texts():
        for line in _COMMAND.findall(text):
            found.append((place, re.split(r"#| \| | > | && ", line)[0].strip().rstrip(".,:;)")))
    return found


@cache
def options_of_commands() -> dict[tuple[str, ...], list[str]]:
    """Each command of the command line with its options."""
    return {
        path: [name for param in command.params for name in (*param.opts, *param.secondary_opts)] + ["--help", "-h"]
        for path, command in click_commands().items()
    }


def problem_with(line: str) -> str | None:
    """What is wrong with a command line, as far as its words tell."""
    try:
        words = shlex.split(line)[1:]
    except ValueError:
        words = line.split()[1:]
    path: tuple[str, ...] = ()
    while words and (*path, words[0]) in click_commands():
        path, words = (*path, words[0]), words[1:]
    if not path:
        return f"no command {words[0] if words else ''!r}"
    options = [word.split("=")[0] for word in words if re.fullmatch(r"--?[a-z][\w-]*(=.*)?", word)]
    unknown = [option for option in options if option not in options_of_commands()[path]]
    return f"no option {', '.join(unknown)} of eyas {' '.join(path)}" if unknown else None


def test_commands_and_options_that_are_named_are_there() -> None:
    # In prose, `eyas` is a word too: only what begins with a command, or stands in a block of commands, is one.
    verbs = {path[0] for path in click_commands() if path}
    problems = [
        f"{place}: {line}: {problem}"
        for place, line in commands()
        if line.split()[1].strip("`") in verbs and (problem := problem_with(line))
    ]
    assert problems == []


def test_commands_in_blocks_begin_with_a_command() -> None:
    problems = []
    for page in PAGES:
        for line in "\n".join(command_blocks(page)).splitlines():
            command = re.match(r"\s*(?:[\w-]*\$ )?(?:\.venv/bin/)?(eyas [^#|>&]*)", line)
            if command and (problem := problem_with(command.group(1))):
                problems.append(f"{page.relative_to(ROOT)}: {line}: {problem}")
    assert problems == []


def test_options_that_are_named_belong_to_a_command() -> None:
    known = {option for options in options_of_commands().values() for option in options}
    named = {(place, name) for place, text in texts() for name in re.findall(r"`(--[a-z][\w-]+)", text)}
    elsewhere = {
        "--more", "--head", "--port", "--address", "--no-deps", "--var", "--nproc-per-node", "--no-python", "--corpus",
        "--megabytes", "--cpu", "--large", "--plot", "--strict", "--extra-index-url",
    }  # fmt: skip
    assert [(place, name) for place, name in sorted(named) if name not in known | elsewhere] == []


@pytest.mark.parametrize("name", REFERENCES)
def test_references_are_what_the_code_says(name: str) -> None:
    from eyas.pipelines.cli.reference import pages

    written = (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
    assert written == pages()[name], f"docs/{name}.md is not what the code says: run `make docs`"


@pytest.mark.parametrize("path", sorted(path for path in click_commands() if path), ids=" ".join)
def test_every_command_has_a_help_page_with_examples(path: tuple[str, ...]) -> None:
    import typer.main

    from eyas.pipelines.cli.app import app

    page = CliRunner().invoke(typer.main.get_command(app), [*path, "--help"], terminal_width=80)
    assert page.exit_code == 0 and "…" not in page.output.replace("PATH…", "")
    for line in re.findall(r"^\s+(eyas .*)$", page.output, re.MULTILINE):
        assert problem_with(re.split(r" \| | > | && ", line)[0]) is None, line


def test_exit_codes_are_documented_as_they_are() -> None:
    from eyas import errors

    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| `(\w+)`", page, re.MULTILINE)
    assert [(int(code), name) for code, name in rows] == sorted(
        (cls.exit_code, name)
        for name, cls in vars(errors).items()
        if isinstance(cls, type) and issubclass(cls, errors.EyasError) and cls is not errors.EyasError
    )
    assert f"| {errors.DEFECT} | any other |" in page and f"| {errors.INTERRUPTED} | " in page
