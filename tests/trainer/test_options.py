"""Options of a training: unknown and impossible values are refused, and importing them costs no torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from eyas.trainer.options import TrainOptions


def test_options_refuse_what_they_do_not_know() -> None:
    for bad in (
        {"preset": "huge"},
        {"learning_rat": 1e-3},
        {"device": "gpu"},
        {"steps": 0},
        {"micro_batch": 9, "batch_size": 8},
        {"model": {"vocab_size": 5}},
        {"betas": [0.9, 1.0]},
    ):
        with pytest.raises(ValidationError):
            TrainOptions.model_validate(bad)
    assert all(field.description for field in TrainOptions.model_fields.values())
    assert TrainOptions(model={"gated_norm": False, "layers": 2}).config(9).gated_norm is False
    assert json.loads(TrainOptions().model_dump_json())["preset"] == "tiny"


def test_import_costs_no_torch() -> None:
    code = (
        "import sys, eyas.trainer, eyas.trainer.options; from eyas.trainer import TrainOptions, HybridConfig;"
        "HybridConfig.preset('tiny'); assert 'torch' not in sys.modules;"
        "import eyas.trainer.training, eyas.trainer.generation; from eyas.trainer import train, generate;"
        "assert callable(train) and callable(generate)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
