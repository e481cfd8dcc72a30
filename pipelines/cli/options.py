"""Arguments and options that several commands share, each declared once, and the reading of their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from eyas.errors import UsageError

if TYPE_CHECKING:
    from eyas.trainer.options import TrainOptions

Recipe = Annotated[str, typer.Argument(help="A recipe (YAML file).", metavar="RECIPE", show_default=False)]
Run = Annotated[
    str,
    typer.Argument(help="Folder or fsspec URL of a run, such as runs/quickstart.", metavar="RUN", show_default=False),
]
FinishedRun = Annotated[
    str,
    typer.Argument(
        help="Folder or fsspec URL of a finished run, such as runs/quickstart.", metavar="RUN", show_default=False
    ),
]
Shards = Annotated[
    str, typer.Argument(help="A folder of shards (with index.json), or a run's folder.", metavar="SHARDS_OR_RUN")
]
Runs = Annotated[str, typer.Option("--runs", help="Folder or fsspec URL in which run folders lie.", metavar="FOLDER")]
Var = Annotated[
    list[str] | None,
    typer.Option("--var", help="A value for ${NAME} in the recipe; may be repeated.", metavar="NAME=VALUE"),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        help="Tasks at a time. 0 runs all of them in this process, without Ray. Default: one for each core.",
        min=0,
        metavar="N",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address", help="A Ray cluster to run on. Default: a Ray of this command's own.", metavar="HOST:PORT"
    ),
]
SharedFolder = Annotated[
    bool,
    typer.Option(
        "--shared-folder", help="The run folder is one that all nodes of the cluster mount (NFS); each is asked first."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print warnings and errors only.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON to standard output instead of text.")]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", help="Seed of every random choice. The same seed gives the same result.", min=0, metavar="N"
    ),
]
Steps = Annotated[int, typer.Option("--steps", help="Optimiser steps of a training.", min=1, metavar="N")]
BatchSize = Annotated[int, typer.Option("--batch-size", help="Rows per optimiser step.", min=1, metavar="N")]
SequenceLength = Annotated[
    int, typer.Option("--sequence-length", help="Tokens in a row.", min=16, max=1 << 20, metavar="N")
]
Preset = Annotated[
    str | None,
    typer.Option("--preset", help="Shape of the model, such as tiny, 90m or 0.5b. Default: tiny.", metavar="NAME"),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other option of `train:` in a recipe; may be repeated.", metavar="OPTION=YAML"),
]
Weight = Annotated[
    list[str] | None,
    typer.Option(
        "--weight",
        help="A source's share of the tokens; may be repeated. Sources that are not named are left out.",
        metavar="SOURCE=SHARE",
    ),
]
Plugin = Annotated[
    list[str] | None,
    typer.Option("--plugin", help="A module that declares more of them; may be repeated.", metavar="MODULE"),
]


def moved(name: str, advice: str) -> Any:
    """A hidden option that was spelled or meant otherwise once: whoever gives it reads what to write instead."""

    def refuse(value: Any) -> None:
        if value:
            raise UsageError(f"{name}: {advice}")

    return typer.Option(name, hidden=True, callback=refuse)


def variables(given: list[str] | None) -> dict[str, str]:
    """`--var NAME=VALUE` by name."""
    values = {}
    for item in given or []:
        name, sign, value = item.partition("=")
        if not sign or not name:
            raise UsageError(f"--var {item}: expected NAME=VALUE")
        values[name] = value
    return values


def weights(given: list[str] | None) -> dict[str, float]:
    """`--weight SOURCE=SHARE` by source."""
    shares = {}
    for item in given or []:
        name, _, share = item.partition("=")
        try:
            shares[name] = float(share)
        except ValueError as error:
            raise UsageError(f"--weight {item}: expected SOURCE=SHARE, such as web=0.7") from error
        if not 0 < shares[name] < float("inf"):
            raise UsageError(f"--weight {item}: expected a share above 0; leave the source out for none of it")
    return shares


def run_folder(given: str, command: str) -> str:
    """The folder of a run; UsageError for a recipe, which `command` took once."""
    if given.endswith((".yaml", ".yml")):
        raise UsageError(
            f"{given}: `eyas {command}` takes the folder of a finished run, such as runs/quickstart, not a recipe"
        )
    return given


def shards_folder(given: str) -> str:
    """The folder of shards that is meant: `given`, or its `shards` if it is a run's folder."""
    from eyas.corpus.store import Store

    folder = given.rstrip("/")
    store = Store(folder)
    return folder if store.exists("index.json") and not store.exists("plan.json") else f"{folder}/shards"


def training_options(given: dict[str, Any], more: list[str] | None) -> TrainOptions:
    """The options of a training, from those given by name (None: not given) and by `--set`; UsageError in words."""
    from pydantic import ValidationError
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from eyas.trainer.options import TrainOptions

    named = {name: value for name, value in given.items() if value is not None}
    try:
        others = {name: YAML(typ="safe").load(value) for name, value in map(_setting, more or [])}
        return TrainOptions.model_validate({**named, **others})
    except YAMLError as error:
        raise UsageError(f"--set: not YAML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'train'}: {_message(one)}" for one in error.errors())
        known = ", ".join(TrainOptions.model_fields)
        raise UsageError(f"{problems}. Options of a training: {known}") from error


def _setting(given: str) -> tuple[str, str]:
    name, sign, value = given.partition("=")
    if not sign:
        raise UsageError(f"--set {given}: expected OPTION=VALUE, such as --set schedule=power")
    return name, value


def _message(problem: Any) -> str:
    return str(problem["msg"]).removeprefix("Value error, ")
