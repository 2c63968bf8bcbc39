"""What it costs to extract in a process of its own: `python -m benchmarks.isolation [CLIP] [--rounds N]`.

Recordings of the same clip, in turn: one in this process, one as `process` does it; both have their networks loaded.
Give it OPENBLAS_NUM_THREADS=1, which is how both ways run in the command. What it takes to start a process and load the
networks is measured by itself, as that is once for a whole run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from capture.drafts.outbox import submit
from pose.engines.engine import Work
from pose.engines.isolation import WORK_PROCESSES, Limits
from pose.engines.threads_engine import Threads
from pose.networks.models import fetch_clip
from studio.commands.output import native_logs_aside, print_table
from studio.pipeline.extraction import Extracted, Failure, Job, extract_and_check
from studio.pipeline.isolated_extraction import IsolatedExtraction
from studio.pipeline.process import waiting
from tests.support.submitted_takes import make_take, make_workspace

Do = Work[Job, Extracted | Failure]
ISOLATED = IsolatedExtraction(Limits())


@dataclass(frozen=True)
class Spent:
    """What something took."""

    seconds: float
    core_seconds: float
    """Of this process and of those that it has started."""


def spent(run: Callable[[], object]) -> Spent:
    """What a call takes."""
    began, cores = time.perf_counter(), _core_seconds()
    run()
    return Spent(time.perf_counter() - began, _core_seconds() - cores)


def extracted(work: Do, job: Job) -> str:
    """The shard of a recording."""
    (found,) = Threads(1).run(work, [job], _uncounted)
    if isinstance(found, Failure):
        raise SystemExit(found.error)
    return found.trajectory.shard


def _uncounted(_frames: int = 1, /) -> None:
    """Frames are known."""


def _core_seconds() -> float:
    """Of this process, and of its children, which are still at work."""
    mine = os.times()
    ticks = 0
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # a thread has ended
            for child in (task / "children").read_text().split():
                numbers = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                ticks += int(numbers[11]) + int(numbers[12])
    return sum(mine[:4]) + ticks / os.sysconf("SC_CLK_TCK")


def _start(job: Job) -> Spent:
    """A process until it has extracted, less what it takes to do it again."""
    WORK_PROCESSES.end_idle()
    first, second = spent(lambda: extracted(ISOLATED, job)), spent(lambda: extracted(ISOLATED, job))
    return Spent(first.seconds - second.seconds, first.core_seconds - second.core_seconds)


def _job(folder: Path, clip: Path) -> Job:
    workspace = make_workspace(folder)
    submit(workspace, make_take(workspace, clip).recording)
    (row,) = waiting(workspace)
    task = workspace.catalog.task("move").task
    workspace.catalog.close()
    return Job(row, task, workspace.objects.url)


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("clip", type=Path, nargs="?")
    options.add_argument("--rounds", type=int, default=12)
    options.add_argument("--starts", type=int, default=3)
    chosen = options.parse_args()
    here: list[Spent] = []
    apart: list[Spent] = []
    with tempfile.TemporaryDirectory() as folder, native_logs_aside():
        job = _job(Path(folder) / "workspace", chosen.clip or fetch_clip())
        if extracted(extract_and_check, job) != extracted(ISOLATED, job):  # and everything is loaded
            raise SystemExit("the bytes differ")
        for number in range(chosen.rounds):
            ways = [(here, extract_and_check), (apart, ISOLATED)]
            for found, work in ways if number % 2 else reversed(ways):
                found.append(spent(lambda work=work: extracted(work, job)))  # type: ignore[misc]
            sys.stderr.write(f"{number}: {here[-1]} {apart[-1]}\n")
        starts = [_start(job) for _ in range(chosen.starts)]
        WORK_PROCESSES.end_idle()
    _print(here, apart, starts, job.recording.frames)


def _print(here: Sequence[Spent], apart: Sequence[Spent], starts: Sequence[Spent], frames: int) -> None:
    rows = [
        (way, f"{frames * len(found) / sum(one.seconds for one in found):.1f}",
         f"{1000 * sum(one.core_seconds for one in found) / len(found) / frames:.1f}")
        for way, found in (("in this process", here), ("in a process of its own", apart))
    ]  # fmt: skip
    pairs = list(zip(here, apart, strict=True))
    wall = _shares([two.seconds / one.seconds - 1 for one, two in pairs])
    rows.append(("more, by round", wall, _shares([two.core_seconds / one.core_seconds - 1 for one, two in pairs])))
    start = statistics.median(one.seconds for one in starts), statistics.median(one.core_seconds for one in starts)
    rows.append(("to start, once", f"{start[0]:.1f} s", f"{start[1]:.1f} core-seconds"))
    print_table(f"{len(here)} rounds of {frames} frames", ["", "frames/s (more: time)", "core-ms a frame"], rows)


def _shares(values: Sequence[float]) -> str:
    low, _, high = statistics.quantiles(values, n=4)
    return f"{statistics.median(values):+.1%} (half of them {low:+.1%} to {high:+.1%})"


if __name__ == "__main__":
    main()
