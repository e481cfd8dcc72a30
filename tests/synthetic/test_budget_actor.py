"""One budget for two nodes: an actor opens the file, tasks on both nodes call it, and no cap is exceeded by one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eyas.synthetic.budget import Answer, BudgetLedger, Charge, Terms, Wait
from eyas.synthetic.budget_actor import BudgetActor, ledger_at

TWO_NODES = """
import sys
from functools import partial
import ray
from ray.cluster_utils import Cluster
from eyas.corpus.stage import SharedResource
from eyas.pipelines.engine.executors import RayExecutor
from eyas.synthetic.budget import Answer, Budget, Charge, Grant, Terms
from eyas.synthetic.budget_actor import BudgetActor, ledger_at, serve

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "resources": {"first": 1}})
cluster.add_node(num_cpus=1, resources={"second": 1})
path = sys.argv[1]
executor = RayExecutor(cluster.address, None)
executor.start()
executor.serve([SharedResource(path, partial(serve, path))] * 2)
terms = Terms("a", Budget(requests=70))

@ray.remote
def spend(name):
    ledger, bought = ledger_at(path), 0
    assert isinstance(ledger, BudgetActor)
    for i in range(50):
        decision = ledger.reserve(terms, Charge(f"{name}-{i}", 10, 10))
        if isinstance(decision, Grant):
            ledger.settle(terms, decision, Answer("said", "stop", 5, 5))
            bought += 1
    assert ledger.recall(f"{name}-0").text == "said"
    return bought, ray.get_runtime_context().get_node_id()

results = ray.get([spend.options(resources={name: 1}).remote(name) for name in ("first", "second")])
assert len({node for _, node in results}) == 2
ledger_at(path).close()  # The file stays open for others.
print(sum(bought for bought, _ in results), int(ledger_at(path).spent("a")["requests"]))
executor.close()
cluster.shutdown()
"""


class Method:
    """A method of a fake Ray actor: `remote` calls the ledger."""

    def __init__(self, method: Callable[..., object]) -> None:
        self.remote = method


def test_every_method_of_the_ledger_is_a_call_of_the_actor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = BudgetLedger(str(tmp_path / "budget.sqlite"))
    methods = {name: Method(getattr(ledger, name)) for name in ("recall", "reserve", "settle", "pause", "spent")}
    monkeypatch.setattr("ray.get", lambda value: value)
    client: Any = BudgetActor(SimpleNamespace(**methods))
    terms = Terms("a")
    grant = client.reserve(terms, Charge("k", 10, 10))
    client.settle(terms, grant, Answer("text", "stop", 5, 5), billed=True)
    client.close()
    assert client.recall("k") == Answer("text", "stop", 5, 5) and client.spent("a")["requests"] == 1
    client.pause("a", 5)
    assert isinstance(ledger.reserve(terms, Charge("other", 1, 1)), Wait)


def test_without_an_actor_the_file_is_opened_here(tmp_path: Path) -> None:
    ledger = ledger_at(str(tmp_path / "budget.sqlite"))
    assert isinstance(ledger, BudgetLedger) and ledger.spent("a")["requests"] == 0


@pytest.mark.slow
def test_two_nodes_share_one_budget(tmp_path: Path) -> None:
    path = tmp_path / "budget.sqlite"
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    ran = subprocess.run(
        [sys.executable, "-c", TWO_NODES, str(path)], capture_output=True, text=True, timeout=200, env=environment
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[-2:] == ["70", "70"]
    assert BudgetLedger(str(path)).spent(Terms("a").account)["requests"] == 70, "the file outlives its actor"
