"""`eyas export hf | gguf`: a trained model for other tools."""

# Tested in tests/end_to_end/test_model_cli.py.

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from eyas.pipelines.cli.console import console
from eyas.pipelines.cli.help import BUILD, Verbs

app = Verbs("export", "Write a trained model for other tools: transformers, llama.cpp.", BUILD)

Model = Annotated[
    str,
    typer.Argument(help="A run's folder, or a folder of a model (of Eyas, or of FalconH1).", metavar="RUN_OR_MODEL"),
]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        "--tokenizer",
        help="tokenizer.json or its folder. Default: that of the run, or the one next to the model.",
        metavar="PATH",
    ),
]


class Kind(StrEnum):
    """Types of a GGUF file's matrices."""

    F32 = "f32"
    BF16 = "bf16"
    Q8_0 = "q8_0"
    Q4_0 = "q4_0"


_TRY = "from transformers import pipeline; print(pipeline('text-generation', 'exported/')('The function'))"


@app.verb(f'eyas export hf runs/quickstart exported/ && python -c "{_TRY}"')
def hf(
    model: Model,
    out: Annotated[str, typer.Argument(help="Folder to write.", metavar="OUT")],
    tokenizer: Tokenizer = None,
) -> None:
    """Write a folder that transformers loads: `AutoModelForCausalLM.from_pretrained(OUT)`, a FalconH1ForCausalLM."""
    from eyas.trainer.hf import export_hf
    from eyas.trainer.loading import load_model

    path = _tokenizer(model, tokenizer)
    export_hf(load_model(_model(model)), out, path)
    console().print(f"{out}: FalconH1ForCausalLM{'' if path else ', without a tokenizer'}")


@app.verb("eyas export gguf runs/quickstart quickstart.gguf --type q4_0", "llama-cli -m quickstart.gguf -p 'import '")
def gguf(
    model: Model,
    out: Annotated[str, typer.Argument(help="File to write.", metavar="FILE")],
    type_: Annotated[
        Kind, typer.Option("--type", help="Type of the matrices: f32, bf16, q8_0 or q4_0.", metavar="TYPE")
    ] = Kind.BF16,
    tokenizer: Tokenizer = None,
) -> None:
    """Write a GGUF file for llama.cpp (falcon-h1), with the multipliers folded into the weights."""
    from eyas.trainer.gguf_export import export_gguf
    from eyas.trainer.loading import load_model

    path = _tokenizer(model, tokenizer)
    export_gguf(load_model(_model(model)), out, type_.value, path)
    size = Path(out).stat().st_size
    console().print(f"{out}: {size / 1e6:,.1f} MB, {type_.value}{'' if path else ', without a tokenizer'}")


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
