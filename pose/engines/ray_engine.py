"""The engine of many machines: a Ray task a recording."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from kinesphere.errors import InvalidInput, needs_extra
from pose.engines.engine import CORES_PER_RECORDING, Item, OnFrame, Result, Work

RETRIES = 3
"""How often a recording is begun again whose node was lost."""


def open_cluster(workers: int | None = None) -> RayCluster:
    """The cluster at RAY_ADDRESS, or one of this machine alone; the cluster's cores say how many work at a time."""
    return RayCluster()


class RayCluster:
    """Begins a recording again elsewhere when its node is lost.

    Every node reaches the object store by the same URL or path, and has `kinesphere-studio[pose,ray]` installed.
    """

    runs_here = False

    def __init__(self, address: str | None = None) -> None:
        """
        Args:
            address: of a running cluster; by default RAY_ADDRESS, or else a cluster of this machine alone.
        """
        self._address = address

    def run(self, work: Work[Item, Result], items: Sequence[Item], on_frame: OnFrame) -> Iterator[Result]:
        """Do all items, as `Engine.run` says. `on_frame` is not called: frames are counted where they are extracted."""
        ray = _ray()
        started = not ray.is_initialized()
        if started:
            _refuse_if_unreachable(self._address or os.environ.get("RAY_ADDRESS", ""))
            ray.init(self._address, log_to_driver=False, logging_level=logging.ERROR)
        try:
            largest = max((node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]), default=0)
            options = {"num_cpus": max(1, min(CORES_PER_RECORDING, int(largest))), "max_retries": RETRIES}
            task = ray.remote(**options)(_do_quietly)
            waiting = [task.remote(work, item) for item in items]
            try:
                while waiting:
                    done, waiting = ray.wait(waiting, num_returns=1)
                    yield ray.get(done[0])
            finally:
                for reference in waiting:
                    ray.cancel(reference, force=True)
        finally:
            if started:
                ray.shutdown()


def _do_quietly(work: Work[Item, Result], item: Item) -> Result:
    return work(item, lambda _frames=1: None)


def _refuse_if_unreachable(address: str) -> None:
    """Knock at `host:port` before Ray does, which tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise InvalidInput(f"no Ray cluster answers at {address} ({error}); check RAY_ADDRESS") from error


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would send them to a server
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # its coming default, announced by a warning
    with needs_extra("ray"):
        import ray
    return ray
