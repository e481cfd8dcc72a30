"""One purse for a cluster of several nodes: an actor on the driver's machine opens the file, and all workers call it.

On one node it is not needed: there SQLite itself is the holder, and a call costs 0.1 ms in place of 1 ms. The actor belongs
to the driver and ends with it; the file stays. Workers find it by its name; where there is none, they open the file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from eyas.synthetic.budget import Answer, Exhausted, Grant, Purse, PurseLike, Terms, Wait, this_process
from eyas.synthetic.engines import digest


def _name(path: str) -> str:
    return f"eyas-purse-{digest(os.path.abspath(path))[:16]}"


def serve(path: str) -> Any:
    """Starts the actor that holds `path`, on this machine; it lives as long as the handle that is returned."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(Purse).options(name=_name(path), num_cpus=0, scheduling_strategy=here)
    return actor.remote(os.path.abspath(path))


def purse_at(path: str) -> PurseLike:
    """The purse of this path: by its actor, if this process is a worker of a driver that started one."""
    ray = sys.modules.get("ray")
    if path != ":memory:" and ray is not None and ray.is_initialized():
        try:
            return ActorPurse(ray.get_actor(_name(path)))
        except ValueError:
            # Ray's way to say that there is no actor of this name: one node, and the file is here.
            return Purse(path)
    return Purse(path)


class ActorPurse:
    """The methods of `Purse`, each a call of the actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def _call(self, method: str, *args: Any, **options: Any) -> Any:
        import ray

        return ray.get(getattr(self._actor, method).remote(*args, **options))

    def recall(self, key: str) -> Answer | None:
        """See `Purse`."""
        found: Answer | None = self._call("recall", key)
        return found

    def reserve(self, terms: Terms, key: str, read: int, written: int) -> Answer | Grant | Wait | Exhausted:
        """See `Purse`."""
        leave: Answer | Grant | Wait | Exhausted = self._call("reserve", terms, key, read, written, this_process())
        return leave

    def settle(
        self,
        terms: Terms,
        grant: Grant,
        answer: Answer | None,
        events: Sequence[str] = (),
        *,
        billed: bool | None = True,
    ) -> None:
        """See `Purse`."""
        self._call("settle", terms, grant, answer, list(events), billed=billed)

    def pause(self, account: str, seconds: float) -> None:
        """See `Purse`."""
        self._call("pause", account, seconds)

    def spent(self, account: str) -> Mapping[str, float | str | None]:
        """See `Purse`."""
        found: Mapping[str, float | str | None] = self._call("spent", account)
        return found

    def close(self) -> None:
        """The actor ends with its driver."""
