"""The command line. Each command imports what it needs, so `eyas --help` answers at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eyas.corpus.show.text import plain
from eyas.errors import DEFECT, INTERRUPTED, EyasError, InputError, UsageError, exit_code
from eyas.pipelines.cli.ablate import ABLATE_EXAMPLES, ablate
from eyas.pipelines.cli.console import examples
from eyas.pipelines.cli.explain import EXAMPLES as EXPLAIN_EXAMPLES
from eyas.pipelines.cli.explain import explain
from eyas.pipelines.cli.export import export_app
from eyas.pipelines.cli.migrate import MIGRATE_EXAMPLES, migrate
from eyas.pipelines.cli.model import GENERATE_EXAMPLES, TRAIN_EXAMPLES, generate, train
from eyas.pipelines.cli.prompts import PROMPTS_EXAMPLES, prompts
from eyas.pipelines.cli.shards import PACK_EXAMPLES, pack, shards_app
from eyas.pipelines.cli.tokenizer import tokenizer_app

if TYPE_CHECKING:
    from rich.console import Console

    from eyas.corpus.store import Store
    from eyas.pipelines.engine.planning import Plan

app = typer.Typer(
    name="eyas",
    help="From raw text to a trained hybrid language model: one YAML recipe, one run.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.add_typer(tokenizer_app, name="tokenizer")
app.add_typer(shards_app, name="shards")
app.add_typer(export_app, name="export")
app.command(epilog=EXPLAIN_EXAMPLES)(explain)
app.command(epilog=PACK_EXAMPLES)(pack)
app.command(epilog=TRAIN_EXAMPLES)(train)
app.command(epilog=GENERATE_EXAMPLES)(generate)
app.command(epilog=ABLATE_EXAMPLES)(ablate)
app.command(epilog=PROMPTS_EXAMPLES)(prompts)
app.command(epilog=MIGRATE_EXAMPLES)(migrate)

RecipeArgument = Annotated[str, typer.Argument(help="A recipe (YAML file).", metavar="RECIPE")]
RunArgument = Annotated[str, typer.Argument(help="A run's folder, such as runs/quickstart.", metavar="RUN")]
RunsOption = Annotated[str, typer.Option("--runs", help="Folder or fsspec URL in which run folders lie.")]
VarOption = Annotated[
    list[str] | None,
    typer.Option("--var", help="A value for ${NAME} in the recipe; may be repeated.", metavar="NAME=VALUE"),
]


def _headline(planned: Plan) -> str:
    from eyas.corpus.show.text import human

    name, size = planned.recipe.options.name, human(planned.bytes)
    return f"{name}: {planned.files:,} files, {size}, {len(planned.partitions)} partitions"


def _print_notes(console: Console, planned: Plan, store: Store) -> None:
    """What the options of each stage mean, and what it will take."""
    from eyas.pipelines.engine.forecasts import forecasts

    expected = {label: [line] for label, line in forecasts(planned, store)}
    for named in planned.recipe.stages:
        notes = named.stage.notes()
        if notes or named.label in expected:
            console.print(f"\n[bold]{named.label}[/bold]")
            for line in [*notes, *expected.get(named.label, [])]:
                console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def _variables(given: list[str] | None) -> dict[str, str]:
    values = {}
    for item in given or []:
        name, sign, value = item.partition("=")
        if not sign or not name:
            raise UsageError(f"--var {item}: expected NAME=VALUE")
        values[name] = value
    return values


@app.command(
    epilog=examples(
        "eyas run pipelines/recipes/quickstart.yaml",
        "eyas run recipe.yaml --workers 8 --runs /data/runs",
        "eyas run recipe.yaml --ray-address 10.0.0.5:6379 --runs s3://bucket/runs",
    )
)
def run(
    recipe: RecipeArgument,
    runs: RunsOption = "runs",
    workers: Annotated[
        int | None, typer.Option(help="Tasks at a time (default: all cores). 0: in this process, without Ray.", min=0)
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="An existing Ray cluster, host:port. Default: a Ray of its own.")
    ] = None,
    var: VarOption = None,
) -> None:
    """Run a recipe. What is done already is kept; a run that was killed goes on where it stopped."""
    from rich.console import Console

    from eyas.corpus.store import Store
    from eyas.pipelines.api import execute, plan
    from eyas.pipelines.cli.progress import TerminalObserver, print_funnel, print_products

    console = Console()
    planned = plan(recipe, _variables(var))
    store = Store(f"{runs.rstrip('/')}/{planned.recipe.options.name}")
    console.print(f"{_headline(planned)} → {store.root}", highlight=False, markup=False, soft_wrap=True)
    training = planned.recipe.options.train
    observer = TerminalObserver(console, store, training.steps if training else None)
    try:
        outcome = execute(planned, runs, workers=workers, ray_address=ray_address, observer=observer)
    finally:
        observer.close()
    console.print()
    print_funnel(console, outcome)
    console.print()
    print_products(console, outcome)
    kept = len(planned.passes) - outcome.computed
    console.print(f"{'report':>10}  {store.path('report.html')}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"\n{outcome.computed} passes computed, {kept} kept from before.", highlight=False)


@app.command(
    epilog=examples(
        "eyas plan recipe.yaml",
        "eyas plan recipe.yaml --json | jq .passes",
        "eyas plan recipe.yaml --what-if gopher_quality.min_doc_words=80 --what-if language.min_score=0.5",
        "eyas plan recipe.yaml --what-if fineweb_quality.line_punct_thr=0.05,0.1,0.12,0.2,null",
    )
)
def plan(
    recipe: RecipeArgument,
    runs: RunsOption = "runs",
    var: VarOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    what_if: Annotated[
        list[str] | None,
        typer.Option(
            help="Move a threshold of the finished run and count its funnel again, without reading text; may be "
            "repeated. Several values: a table of all; null turns the rule off.",
            metavar="STAGE.OPTION=VALUE",
        ),
    ] = None,
) -> None:
    """Show what `run` would do: which passes are computed, which are kept from an earlier run."""
    from rich.console import Console
    from rich.table import Table

    from eyas.corpus.store import Store
    from eyas.pipelines.api import plan as make
    from eyas.pipelines.engine.engine import load_result
    from eyas.pipelines.engine.forecasts import forecasts

    planned = make(recipe, _variables(var))
    store = Store(f"{runs.rstrip('/')}/{planned.recipe.options.name}")
    if what_if:
        from eyas.pipelines.cli.what_if_view import show_what_if

        show_what_if(Console(), planned, store, what_if, as_json)
        return
    state = {p.digest: load_result(store, p) is not None for p in planned.passes}
    if as_json:
        data = planned.to_json()
        for entry in data["passes"]:
            entry["done"] = state[entry["digest"]]
        data["forecasts"] = dict(forecasts(planned, store))
        typer.echo(json.dumps(data, indent=1))
        return
    console = Console()
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("pass", "does", "digest", "state"):
        table.add_column(name, overflow="fold")
    for number, p in enumerate(planned.passes, 1):
        started = not state[p.digest] and store.exists(f"{p.folder}/entries")
        word = (
            "[dim]kept[/dim]"
            if state[p.digest]
            else "[yellow]resumed[/yellow]"
            if started
            else "[green]computed[/green]"
        )
        table.add_row(str(number), p.label, p.digest[:12], word)
    console.print(_headline(planned), highlight=False, markup=False)
    console.print(table)
    _print_notes(console, planned, store)
    console.print(
        f"\n{sum(not done for done in state.values())} of {len(state)} passes will be computed.", highlight=False
    )


@app.command(
    epilog=examples(
        "eyas fit recipe.yaml --out thresholds.yaml", "eyas fit recipe.yaml --method tail --share 0.1 --reference de"
    )
)
def fit(
    recipe: RecipeArgument,
    runs: RunsOption = "runs",
    var: VarOption = None,
    out: Annotated[str | None, typer.Option(help="Write the thresholds there, for `by_language: FILE`.")] = None,
    method: Annotated[
        str,
        typer.Option(help="quantile: the share that fails in the reference language; tail: --share; mean_std."),
    ] = "quantile",
    share: Annotated[
        float, typer.Option(help="Share of each language's documents that fails each rule (tail).")
    ] = 0.05,
    reference: Annotated[str, typer.Option(help="The language that the recipe's thresholds were made for.")] = "en",
    min_documents: Annotated[
        int, typer.Option(help="With fewer documents, a language keeps the default.", min=1)
    ] = 200,
) -> None:
    """Fit thresholds to each language of a finished run, from its scores: no text is read."""
    from rich.console import Console
    from rich.table import Table

    from eyas.corpus.store import Store
    from eyas.filters.languages.fit import to_yaml
    from eyas.pipelines.analysis.fit import fit_run
    from eyas.pipelines.analysis.what_if import finished
    from eyas.pipelines.api import plan as make

    planned = make(recipe, _variables(var))
    store = Store(f"{runs.rstrip('/')}/{planned.recipe.options.name}")
    found = fit_run(planned, store, finished(planned, store), method, share, reference, min_documents)  # type: ignore[arg-type]
    console = Console()
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("language", "rule", "default", "threshold", "fails", "would fail", "documents", ""):
        table.add_column(name, overflow="fold")
    for one in found:
        shares = (f"{one.before:.1%}", f"{one.after:.1%}", f"{one.documents:,}")
        table.add_row(one.language, one.rule, f"{one.default:g}", f"{one.threshold:g}", *shares, one.kept or "")
    console.print(table)
    if out is not None:
        note = f"eyas fit, method {method}, of the run {planned.recipe.options.name} ({planned.digest[:12]})"
        Path(out).write_text(to_yaml(found, note), encoding="utf-8")
        told = f"\nwritten: {out}; use it by `by_language: {out}`"
        console.print(told, highlight=False, markup=False, soft_wrap=True)


@app.command(epilog=examples("eyas report runs/quickstart"))
def report(run: RunArgument) -> None:
    """Write a run's report again (report.html: one page, no network needed to read it)."""
    from eyas.corpus.store import Store
    from eyas.pipelines.report.page import rewrite_report

    typer.echo(rewrite_report(Store(run)))


@app.command(epilog=examples("eyas stages", "eyas stages minhash_dedup"))
def stages(
    name: Annotated[str | None, typer.Argument(help="A stage: show all its options.")] = None,
    plugin: Annotated[list[str] | None, typer.Option(help="A module with stages of your own; may be repeated.")] = None,
) -> None:
    """List the stages, or one stage's options with their defaults and sources."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    from eyas.corpus.registry import add_search_path
    from eyas.pipelines.recipe.registry import stage_class, targets

    add_search_path(str(Path.cwd()))
    console = Console()
    if name is None:
        table = Table(header_style="bold", box=None, pad_edge=False)
        for column in ("stage", "kind", "what it does"):
            table.add_column(column, overflow="fold")
        for known in sorted(targets(plugin or ())):
            cls = stage_class(known, plugin or ())
            table.add_row(known, cls.kind_name, Text((cls.__doc__ or "").strip().splitlines()[0]))
        console.print(table)
        return
    cls = stage_class(name, plugin or ())
    console.print(
        f"[bold]{name}[/bold] ({cls.kind_name}, version {cls.version}): {escape((cls.__doc__ or '').strip())}\n"
    )
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in ("option", "default", "meaning"):
        table.add_column(column, overflow="fold")
    for option, field in cls.model_fields.items():
        default = (
            "required" if field.is_required() else json.dumps(field.get_default(call_default_factory=True), default=str)
        )
        table.add_row(option, Text(default), Text(field.description or ""))
    console.print(table)


@app.command(epilog=examples("eyas schema > recipe.schema.json"))
def schema() -> None:
    """Print the recipe's JSON Schema, for editors that complete and check YAML."""
    from eyas.pipelines.recipe.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=1))


def main() -> None:
    """Runs the command line. Errors for users end in words and in the exit codes of `eyas.errors`."""
    import os

    try:
        app()
    except KeyboardInterrupt:
        typer.secho("\nstopped; run the same command again to go on from here", err=True)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get("EYAS_TRACEBACK"):
            raise
        code = exit_code(error)
        message = str(error) or type(error).__name__
        if code == DEFECT:
            known = message if isinstance(error, EyasError) else f"{type(error).__name__}: {message}"
            message = f"a defect of Eyas, not of your input: {known}"
        typer.secho(f"eyas: {plain(message)}", err=True, fg="red")
        if code == DEFECT:
            typer.secho("EYAS_TRACEBACK=1 shows the traceback; please report it with this message.", err=True, dim=True)
        elif code not in (UsageError.exit_code, InputError.exit_code):
            typer.secho("(EYAS_TRACEBACK=1 shows the traceback)", err=True, dim=True)
        sys.exit(code)


if __name__ == "__main__":
    main()
