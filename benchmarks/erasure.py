"""What it takes to erase one contributor from a small and from a large dataset: `python -m benchmarks.erasure`."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kinesphere.objects.store import Objects
from kinesphere.video.video_keys import video_key
from storage.catalog.recording_entries import recording_row
from storage.catalog.tables import ContributorTable, TrajectoryTable
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.publishing.publish import publish
from storage.recordings.recording import State, description_key
from storage.shards.shard_writer import write_shard
from storage.workspace import Workspace, create_workspace
from studio.commands.output import print_table
from tests.support.generated_trajectories import make_trajectory
from tests.support.populated_workspaces import describe, populate
from tests.support.submitted_takes import TASK

OTHERS = (100, 10_000)
RECORDINGS = 10
FRAMES = 9000
"""Of each recording of the one who leaves: five minutes."""


def enrol_others(workspace: Workspace, count: int) -> None:
    """So many contributors with a short recording each, entered in one transaction."""
    workspace.catalog.add_task(TASK)
    now = datetime.now(UTC)
    with workspace.catalog.writing() as session:
        for number in range(count):
            contributor = f"c{number:05d}"
            described = describe(contributor, seed=100_000 + number, frames=8)
            recording = described.recording
            workspace.objects.put(description_key(recording), described.to_bytes())
            workspace.objects.put(video_key(recording), b"video")
            trajectory = make_trajectory(8, seed=number, recording=recording, contributor=contributor)
            shard = write_shard(workspace.objects, [trajectory])
            session.add(ContributorTable(contributor=contributor, created_at=now))
            session.flush()
            session.add(recording_row(described, State.ACCEPTED))
            session.flush()
            session.add(
                TrajectoryTable(
                    recording=recording,
                    extractor=shard.extractor_id,
                    shard=shard.shard_id,
                    first_frame=0,
                    length=8,
                    scale="relative",
                    body_share=1.0,
                    left_hand_share=1.0,
                    right_hand_share=1.0,
                    created_at=now,
                )
            )


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count the calls to the object store."""
    names = ("get", "put", "put_if_absent", "delete", "delete_below", "keys", "folders")
    originals, counts = {name: getattr(Objects, name) for name in names}, Counter[str]()

    def counting(name: str) -> Any:
        def call(self: Objects, *arguments: Any, **options: Any) -> Any:
            counts[name] += 1
            return originals[name](self, *arguments, **options)

        return call

    for name in names:
        setattr(Objects, name, counting(name))
    try:
        yield counts
    finally:
        for name in names:
            setattr(Objects, name, originals[name])


def measure(others: int, folder: Path) -> list[str]:
    """Erase one contributor from among so many others; a row of the table."""
    workspace = create_workspace(folder)
    enrol_others(workspace, others)
    populate(workspace, {"leaving": RECORDINGS}, frames=FRAMES)
    publish(workspace, "all")
    with counted() as counts:
        began = time.perf_counter()
        erase(workspace, "leaving", who="benchmark")
        seconds = time.perf_counter() - began
    began = time.perf_counter()
    left = find_traces(workspace, "leaving")
    proof = time.perf_counter() - began
    workspace.catalog.close()
    changes = sum(counts[name] for name in ("put", "put_if_absent", "delete", "delete_below"))
    reads = counts["get"] + counts["keys"] + counts["folders"]
    return [f"{others:,}", f"{seconds:.2f} s", f"{changes}", f"{reads}", f"{proof:.1f} s", f"{len(left)}"]


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print_erasures()


def print_erasures() -> None:
    """Print what it takes to erase one contributor, and to prove it."""
    with tempfile.TemporaryDirectory() as name:
        rows = [measure(others, Path(name) / str(others)) for others in OTHERS]
    print_table(
        f"One contributor with {RECORDINGS} recordings erased from among others",
        ["others", "erased in", "changes to the store", "reads", "verified in", "left"],
        rows,
    )


if __name__ == "__main__":
    main()
