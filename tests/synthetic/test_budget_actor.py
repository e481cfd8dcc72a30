"""One purse for two nodes: an actor holds the file, tasks on both nodes call it, and no cap is exceeded by one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eyas.synthetic.budget import Purse, Terms
from eyas.synthetic.budget_actor import purse_at

TWO_NODES = """
import sys
import ray
from ray.cluster_utils import Cluster
from eyas.synthetic.budget import Answer, Budget, Grant, Terms
from eyas.synthetic.budget_actor import ActorPurse, purse_at, serve

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "resources": {"first": 1}})
cluster.add_node(num_cpus=1, resources={"second": 1})
ray.init(address=cluster.address, log_to_driver=False)
path = sys.argv[1]
holder = serve(path)
terms = Terms("a", Budget(requests=70))

@ray.remote
def spend(name):
    purse, bought = purse_at(path), 0
    assert isinstance(purse, ActorPurse)
    for i in range(50):
        leave = purse.reserve(terms, f"{name}-{i}", 10, 10)
        if isinstance(leave, Grant):
            purse.settle(terms, leave, Answer("said", "stop", 5, 5))
            bought += 1
    assert purse.recall(f"{name}-0").text == "said"
    return bought, ray.get_runtime_context().get_node_id()

found = ray.get([spend.options(resources={name: 1}).remote(name) for name in ("first", "second")])
assert len({node for _, node in found}) == 2
print(sum(bought for bought, _ in found), int(purse_at(path).spent("a")["requests"]))
ray.shutdown()
cluster.shutdown()
"""


def test_without_an_actor_the_file_is_opened_here(tmp_path: Path) -> None:
    purse = purse_at(str(tmp_path / "purse.sqlite"))
    assert isinstance(purse, Purse) and purse.spent("a")["requests"] == 0


@pytest.mark.slow
def test_two_nodes_share_one_budget(tmp_path: Path) -> None:
    path = tmp_path / "purse.sqlite"
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    ran = subprocess.run(
        [sys.executable, "-c", TWO_NODES, str(path)], capture_output=True, text=True, timeout=200, env=environment
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[-2:] == ["70", "70"]
    assert Purse(str(path)).spent(Terms("a").account)["requests"] == 70, "the file outlives its actor"
