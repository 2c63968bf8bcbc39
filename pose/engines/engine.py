"""What an engine is: it spreads work on many recordings, over threads of this machine or over a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class OnFrame(Protocol):
    """Told by work how far it is; who stops the work does it by what this raises."""

    def __call__(self, frames: int = 1, /) -> None:
        """Count frames.

        Args:
            frames: how many were done since the last call; 0 only asks whether to go on.
        """


Work = Callable[[Item, OnFrame], Result]
"""Does one item, calling the function it is given once a frame. To run elsewhere, it and its items can be pickled."""

CORES_PER_RECORDING = 2
"""Body and hands are found in a thread each."""


class Engine(Protocol):
    """Runs work on items; each is done once, however often it had to be begun."""

    @property
    def runs_here(self) -> bool:
        """Whether work runs on this machine, so that what it needs should be fetched before it begins."""

    def run(self, work: Work[Item, Result], items: Sequence[Item], on_frame: OnFrame) -> Iterator[Result]:
        """Do all items.

        Args:
            work: what to do with each. What it raises, this raises, once the rest has stopped.
            items: what to do it with.
            on_frame: called with the frames that were done, from any thread; never, where they are not counted here.

        Yields:
            Results as they become ready, in any order.
        """
        ...


MakeEngine = Callable[[int | None], Engine]
"""Makes an engine, given how many recordings it may work on at a time; None leaves that to the engine."""
