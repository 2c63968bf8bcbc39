"""Engines: how work on many recordings is spread, over threads of this machine or over a Ray cluster."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Protocol, TypeVar

from kinesphere.errors import InvalidInput, needs_extra

Item = TypeVar("Item")
Result = TypeVar("Result")
OnFrame = Callable[[], None]
Work = Callable[[Item, OnFrame], Result]
"""Does one item, calling the function it is given once a frame. To run elsewhere, it and its items can be pickled."""

CORES_PER_RECORDING = 2
"""Body and hands are found in a thread each."""
RETRIES = 3
"""How often a recording is begun again whose node was lost."""


class Engine(Protocol):
    """Runs work on items; each is done once, however often it had to be begun."""

    def run(self, work: Work[Item, Result], items: Sequence[Item], on_frame: OnFrame) -> Iterator[Result]:
        """Results as they become ready, in any order. What work raises, this raises, once the rest has stopped."""
        ...


class _Stopped(BaseException):
    """Ends work at its next frame. No error: nobody but the engine may catch it."""


class Threads:
    """The engine of one machine: threads, since the networks give up the interpreter's lock while they compute."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or max(1, (os.cpu_count() or CORES_PER_RECORDING) // CORES_PER_RECORDING)

    def run(self, work: Work[Item, Result], items: Sequence[Item], on_frame: OnFrame) -> Iterator[Result]:
        """See `Engine.run`. Leaving the loop early, or Ctrl-C, ends all work at its next frame."""
        stopping = threading.Event()

        def count() -> None:
            if stopping.is_set():
                raise _Stopped
            on_frame()

        with ThreadPoolExecutor(self._workers, "recording") as pool:
            futures = [pool.submit(work, item, count) for item in items]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                stopping.set()
                pool.shutdown(cancel_futures=True)


class RayCluster:
    """The engine of many machines: a Ray task a recording, begun again elsewhere when its node is lost.

    Every node reaches the object store by the same URL or path, and has `kinesphere-studio[pose,ray]` installed.
    """

    def __init__(self, address: str | None = None) -> None:
        """
        Args:
            address: of a running cluster; by default RAY_ADDRESS, or else a cluster of this machine alone.
        """
        self._address = address

    def run(self, work: Work[Item, Result], items: Sequence[Item], on_frame: OnFrame) -> Iterator[Result]:
        """See `Engine.run`. `on_frame` is not called: frames are counted where they are extracted."""
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
    return work(item, lambda: None)


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
