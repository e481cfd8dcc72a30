"""`eyas export hf | gguf`: a trained model for other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from eyas.pipelines.cli.console import examples

export_app = typer.Typer(
    help="Write a trained model for other tools: transformers, llama.cpp.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
ModelArgument = Annotated[
    str,
    typer.Argument(help="A run's folder, or a folder of a model (of Eyas, or of FalconH1).", metavar="RUN_OR_MODEL"),
]
TokenizerOption = Annotated[
    str | None, typer.Option(help="tokenizer.json or its folder (default: that of the run, or next to the model).")
]


class Kind(StrEnum):
    """Types of a GGUF file's matrices."""

    F32 = "f32"
    BF16 = "bf16"
    Q8_0 = "q8_0"
    Q4_0 = "q4_0"


@export_app.command(
    epilog=examples("eyas export hf runs/quickstart exported/ && python -m transformers chat exported/")
)
def hf(
    model: ModelArgument,
    out: Annotated[str, typer.Argument(help="Folder to write.")],
    tokenizer: TokenizerOption = None,
) -> None:
    """A folder that transformers loads: `AutoModelForCausalLM.from_pretrained(OUT)` gives a FalconH1ForCausalLM."""
    from eyas.trainer.hf import export_hf
    from eyas.trainer.loading import load_model

    found = _tokenizer(model, tokenizer)
    export_hf(load_model(_model(model)), out, found)
    typer.echo(f"{out}: FalconH1ForCausalLM{'' if found else ', without a tokenizer'}")


@export_app.command(
    epilog=examples(
        "eyas export gguf runs/quickstart quickstart.gguf --type q4_0", "llama-cli -m quickstart.gguf -p 'import '"
    )
)
def gguf(
    model: ModelArgument,
    out: Annotated[str, typer.Argument(help="File to write.", metavar="FILE")],
    type_: Annotated[Kind, typer.Option("--type", help="Type of matrices.")] = Kind.BF16,
    tokenizer: TokenizerOption = None,
) -> None:
    """A GGUF file for llama.cpp (falcon-h1), multipliers folded into the weights."""
    from eyas.trainer.gguf_export import export_gguf
    from eyas.trainer.loading import load_model

    found = _tokenizer(model, tokenizer)
    export_gguf(load_model(_model(model)), out, type_.value, found)
    size = Path(out).stat().st_size
    typer.echo(f"{out}: {size / 1e6:,.1f} MB, {type_.value}{'' if found else ', without a tokenizer'}")


def _model(given: str) -> Path:
    folder = Path(given)
    return folder / "model" if (folder / "plan.json").is_file() else folder


def _tokenizer(model: str, given: str | None) -> Path | None:
    if given is not None:
        return Path(given)
    for file in (Path(model) / "tokenizer" / "tokenizer.json", Path(model) / "tokenizer.json"):
        if file.is_file():
            return file
    return None
