"""What it costs to extract in a process of its own: `python -m benchmarks.isolation [CLIP] [--rounds N]`.

The same recordings, in turn: in this process, and as `process` does it. Each way ends what it has started, and starts
it anew in the next round, so that what that takes is in the numbers.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from capture.drafts.outbox import submit
from pose.engines.engine import Work
from pose.engines.isolation import WORK_PROCESSES, Limits
from pose.engines.threads_engine import Threads
from pose.networks.models import fetch_clip
from studio.commands.output import native_logs_aside, print_table
from studio.pipeline.extraction import Extracted, Failure, Job, extract_and_check, load_extractor
from studio.pipeline.isolated_extraction import IsolatedExtraction
from studio.pipeline.process import waiting
from tests.support.submitted_takes import make_take, make_workspace

Do = Work[Job, Extracted | Failure]


@dataclass(frozen=True)
class Run:
    """All recordings once."""

    seconds: float
    core_seconds: float
    shards: tuple[str, ...]


def measured(work: Do, jobs: Sequence[Job], workers: int) -> Run:
    """Extract all recordings, from an extractor that is not open to the end of all processes."""
    load_extractor.cache_clear()
    began, cores = time.perf_counter(), _core_seconds()
    results = list(Threads(workers).run(work, jobs, _uncounted))
    WORK_PROCESSES.end_idle()
    found = {result.recording: result for result in results if isinstance(result, Extracted)}
    if len(found) != len(jobs):
        raise SystemExit(str([result for result in results if isinstance(result, Failure)]))
    shards = tuple(found[job.recording.recording].trajectory.shard for job in jobs)
    return Run(time.perf_counter() - began, _core_seconds() - cores, shards)


def _uncounted(_frames: int = 1, /) -> None:
    """Frames are known."""


def _core_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


def _jobs(folder: Path, clip: Path, recordings: int) -> list[Job]:
    workspace = make_workspace(folder)
    for _ in range(recordings):
        submit(workspace, make_take(workspace, clip).recording)
    rows = waiting(workspace)
    task = workspace.catalog.task("move").task
    workspace.catalog.close()
    return [Job(row, task, workspace.objects.url) for row in rows]


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("clip", type=Path, nargs="?")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--recordings", type=int, default=6)
    options.add_argument("--workers", type=int, default=1)
    chosen = options.parse_args()
    ways: dict[str, Do] = {
        "in this process": extract_and_check,
        "in a process of its own": IsolatedExtraction(Limits()),
    }
    runs: dict[str, list[Run]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder, native_logs_aside():
        jobs = _jobs(Path(folder) / "workspace", chosen.clip or fetch_clip(), chosen.recordings)
        measured(extract_and_check, jobs[:1], 1)  # imports everything here
        for number in range(chosen.rounds):
            for way in sorted(ways, reverse=bool(number % 2)):
                runs[way].append(measured(ways[way], jobs, chosen.workers))
    if len({run.shards for found in runs.values() for run in found}) != 1:
        raise SystemExit("the bytes differ")
    _print(runs, sum(job.recording.frames for job in jobs))


def _print(runs: dict[str, list[Run]], frames: int) -> None:
    first, second = runs.values()
    more = [replace(a, seconds=b.seconds / a.seconds - 1, core_seconds=b.core_seconds / a.core_seconds - 1)
              for a, b in zip(first, second, strict=True)]  # fmt: skip
    rows = [
        (
            way,
            ", ".join(f"{frames / run.seconds:.1f}" for run in found),
            ", ".join(f"{1000 * run.core_seconds / frames:.1f}" for run in found),
        )
        for way, found in runs.items()
    ]
    wall, cores = [one.seconds for one in more], [one.core_seconds for one in more]
    rows.append(("more, by round; median", _shares(wall), _shares(cores)))
    print_table(f"Extraction, {frames} frames a round", ["", "frames/s (more: seconds)", "core-ms a frame"], rows)


def _shares(values: Sequence[float]) -> str:
    return f"{', '.join(f'{value:+.1%}' for value in values)}; {statistics.median(values):+.1%}"


if __name__ == "__main__":
    main()
