"""Goes through all of `tests.support.durable_steps` on a disk, and looks at what power cuts would leave of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar

from tests.support.cut_moments import Moments, told_of_changes
from tests.support.durable_steps import STEPS, check_all, do_step

State = TypeVar("State")


class Disk(Protocol[State]):
    """Where everything is done, and what can say what a power cut would leave of it."""

    folder: Path

    def keep(self) -> Mapping[str, State]:
        """States, by their kind, in which a cut at this moment may leave the disk."""
        ...

    def flushed(self, descriptor: int) -> None:
        """Told of what was flushed."""

    def after_cut(self, left: State) -> AbstractContextManager[None]:
        """Have in the folder, within the block, what a cut has left."""
        ...


def live_through(
    disk: Disk[State], *, most: int, steps: Sequence[str] = STEPS, say: Callable[[str], None] = lambda text: None
) -> None:
    """Do all steps, and after each look at what power cuts in it would have left.

    What was confirmed before a cut must be whole, and the step that was cut off, done again, must end as if it had not
    been.

    Args:
        disk: one on which nothing was done yet.
        most: how many moments of a step are looked at, besides its end; half as many at least.
        steps: those to do.
        say: told what was done.

    Raises:
        AssertionError: something confirmed is gone, or something is half; says after which cut.
    """
    done: list[str] = []
    for step in steps:
        moments = Moments(disk.keep, most)
        with told_of_changes(disk.folder, moments.change, disk.flushed):
            do_step(disk.folder, step)
        moments.end()
        looked_at = 0
        for place, (number, states) in enumerate(moments.kept.items()):
            confirmed = (*done, step) if number == moments.changes else tuple(done)
            for kind, left in states.items():
                repeats = list(states)[place % len(states)] == kind
                try:
                    with disk.after_cut(left):
                        _check_cut(disk.folder, step if repeats else None, confirmed)
                except Exception as error:
                    where = f"before change {number} of {moments.changes} of {step} ({kind})"
                    raise AssertionError(f"after a power cut {where}: {type(error).__name__}: {error}") from error
                looked_at += 1
        say(f"{step}: {moments.changes} changes, looked at {looked_at} cuts")
        done.append(step)


def _check_cut(disk: Path, step: str | None, done: Sequence[str]) -> None:
    """What was confirmed before a cut is whole, and a step that was cut off can be done again."""
    long_ago = time.time() - 3600  # it takes a while until a computer is there again
    for path in disk.rglob("*"):
        os.utime(path, (long_ago, long_ago))
    check_all(disk, done)
    if step is not None:
        do_step(disk, step)
        check_all(disk, (*STEPS[: STEPS.index(step)], step))
