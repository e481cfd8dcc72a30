"""A run folder that several nodes mount at one path (NFS): whether each of them sees the same files is asked, not believed.

The driver leaves a file with a random word in the run folder. Every node must read that word there, and leave a file that the
driver must see; and every worker looks for the word before its first task, because nodes may join later. A path that leads to
a folder of its own on each node would otherwise end in parts that are missing, much later.
"""

# Tested in tests/end_to_end/test_shared_folder.py.

from __future__ import annotations

import os
import secrets
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eyas.corpus.store import Store
from eyas.errors import ClusterError, StorageError

PATIENCE_SECONDS: Final = 10.0
"""How long a file may take to be seen by another node: NFS remembers for seconds what was not there."""
_PREFIX: Final = ".shared-"


@dataclass(frozen=True)
class Mark:
    """The file by which the run folder is known again."""

    path: str
    word: str

    @classmethod
    def leave(cls, store: Store) -> Mark:
        """Writes the file; marks of earlier runs are removed."""
        folder = Path(store.root)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{_PREFIX}*"):
            old.unlink(missing_ok=True)
        word = secrets.token_hex(8)
        mark = cls(str(folder / f"{_PREFIX}{word}"), word)
        Path(mark.path).write_text(word)
        return mark

    def remove(self) -> None:
        """Removes the file and the answers to it."""
        for path in Path(self.path).parent.glob(f"{_PREFIX}{self.word}*"):
            path.unlink(missing_ok=True)

    def is_seen(self) -> bool:
        """Whether this process sees the file, waiting a while for it."""
        return _appears(self.path, self.word)

    def require(self) -> None:
        """StorageError, which names this node, if this process does not see the file. It is asked once in a process."""
        if self.path not in _SEEN and not self.is_seen():
            raise StorageError(
                f"node {socket.gethostname()} does not see the run folder {os.path.dirname(self.path)} as the "
                f"driver does: it is not mounted there, or another folder is"
            )
        _SEEN.add(self.path)

    def answer(self, node: str) -> bool:
        """Whether a node sees the file; then it leaves one beside it."""
        if not self.is_seen():
            return False
        Path(f"{self.path}-{node}").write_text(node)
        return True

    def is_answered(self, node: str) -> bool:
        """Whether the driver sees what a node left."""
        return _appears(f"{self.path}-{node}", node)


_SEEN: set[str] = set()


def _appears(path: str, content: str) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return Path(path).read_text() == content
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)


def check_nodes(ray: Any, mark: Mark, store: Store) -> None:
    """StorageError, which names them, if some nodes of the cluster do not see the folder that the driver sees."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ask = ray.remote(_answers)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    asked = [
        ask.options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            mark, node["NodeID"]
        )
        for node in nodes
    ]
    blind = []
    for node, reference in zip(nodes, asked, strict=True):
        try:
            seen = ray.get(reference) and mark.is_answered(node["NodeID"])
        except ray.exceptions.RayError as error:
            if any(now["Alive"] and now["NodeID"] == node["NodeID"] for now in ray.nodes()):
                raise ClusterError(f"node {node['NodeManagerAddress']} could not be asked: {error}") from error
            continue  # it died in the meantime: no task will go there
        if not seen:
            blind.append(f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})")
    if blind:
        raise StorageError(
            f"--shared-folder: {len(blind)} of {len(nodes)} nodes do not see the run folder {store.name()} as this one does: "
            f"{', '.join(blind)}. Mount the same storage at the same path on every node, or put runs on an object store: "
            f"--runs s3://bucket/runs"
        )


def _answers(mark: Mark, node: str) -> bool:
    return mark.answer(node)
