"""Workspaces of many accepted recordings, entered in bulk."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from kinesphere.shards.shard import shard_key
from storage.catalog import Catalog
from storage.catalog.tables import AnnotationTable, ContributorTable, RecordingTable, SegmentTable, TrajectoryTable
from storage.recordings.recording import State
from storage.tasks.task import Task
from storage.workspace import Workspace

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = ("reach", "grasp", "pour", "place", "fold", "turn")


def fill_workspace(
    workspace: Workspace, recordings: int, segments: int, *, contributors: int = 500, tasks: int = 50
) -> None:
    """Enter accepted recordings of a minute, one a minute, each of as many segments; their shards hold nothing."""
    catalog = workspace.catalog
    names = [f"task-{number:03d}" for number in range(tasks)]
    for name in names:
        catalog.add_task(Task(name=name, title="T", instructions="I", consent="C"))
    people = [f"c{number:04d}" for number in range(contributors)]
    with catalog.engine.execution_options(writes=True).begin() as connection:
        connection.execute(insert(ContributorTable), [{"contributor": who, "created_at": BEGAN} for who in people])
    chance = random.Random(0)
    for first in range(0, recordings, 10_000):
        rows: list[dict[str, Any]] = []
        trajectories: list[dict[str, Any]] = []
        cuts: list[dict[str, Any]] = []
        for number in range(first, min(first + 10_000, recordings)):
            row = recording_row(
                number, task=chance.choice(names), contributor=people[number * contributors // recordings]
            )
            rows.append(row)
            trajectories.append(trajectory_row(row, shard=f"{chance.getrandbits(128):032x}", share=chance.random()))
            cuts += [
                segment_row(row, f"{number:08x}{place:04x}", place * 1800 // segments, (place + 1) * 1800 // segments,
                            label=chance.choice(LABELS))
                for place in range(segments)
            ]  # fmt: skip
        enter(catalog, rows, trajectories, cuts)
        lay_shards(workspace, trajectories)


def lay_shards(workspace: Workspace, trajectories: Iterable[dict[str, Any]]) -> None:
    """Lay down the shards of trajectories, so that they are there, though nothing can be read from them.

    In a folder they are not flushed, as the store would: a hundred thousand would take ten minutes.
    """
    for shard in {trajectory["shard"] for trajectory in trajectories}:
        key = f"{shard_key(shard)}/zarr.json"
        path = workspace.objects.local_path(key)
        if path is None:
            workspace.objects.put(key, b"{}")
        else:
            path.parent.mkdir(parents=True)
            path.write_bytes(b"{}")


def enter(
    catalog: Catalog,
    recordings: Sequence[dict[str, Any]],
    trajectories: Sequence[dict[str, Any]],
    segments: Sequence[dict[str, Any]],
    annotations: Sequence[dict[str, Any]] = (),
) -> None:
    """Enter rows in one transaction."""
    with catalog.engine.execution_options(writes=True).begin() as connection:
        for table, rows in (
            (RecordingTable, recordings),
            (TrajectoryTable, trajectories),
            (AnnotationTable, annotations),
            (SegmentTable, segments),
        ):
            if rows:
                connection.execute(insert(table), list(rows))


def recording_row(number: int, *, task: str, contributor: str, state: State = State.ACCEPTED) -> dict[str, Any]:
    at = BEGAN + timedelta(minutes=number)
    return {
        "recording": f"{at:%Y%m%d-%H%M%S}-{number:08x}",
        "task": task,
        "task_version": 1,
        "contributor": contributor,
        "state": state,
        "created_at": at,
        "duration_ns": 60 * 10**9,
        "frames": 1800,
        "width": 1280,
        "height": 720,
        "frame_rate": 30.0,
        "video_sha256": "0" * 64,
        "source_sha256": f"{number:064x}",
    }


def trajectory_row(
    recording: dict[str, Any], *, shard: str, share: float = 0.5, extractor: str = "e" * 16, after: int = 0
) -> dict[str, Any]:
    return {
        "recording": recording["recording"],
        "extractor": extractor,
        "shard": shard,
        "first_frame": 100 * after,
        "length": 1800,
        "scale": "relative",
        "body_share": share,
        "left_hand_share": share / 2,
        "right_hand_share": share / 3,
        "created_at": recording["created_at"] + timedelta(seconds=after),
    }


def annotation_row(recording: dict[str, Any], place: int, state: str, purpose: str) -> dict[str, Any]:
    at = recording["created_at"] + timedelta(hours=place)
    return {
        "annotation": f"{place}{recording['recording']}",
        "recording": recording["recording"],
        "annotator": f"annotator {place}",
        "purpose": purpose,
        "state": state,
        "revision": 1,
        "segments": 1,
        "opinions": 1,
        "disputed": False,
        "created_at": at,
        "changed_at": at,
        "done_at": at if state == "done" else None,
        "leased_until": None,
        "reason": "",
    }


def segment_row(
    recording: dict[str, Any],
    segment: str,
    start: int,
    end: int,
    *,
    label: str,
    what: str | None = None,
    annotation: str | None = None,
) -> dict[str, Any]:
    return {
        "segment": segment,
        "recording": recording["recording"],
        "track": "actions",
        "start_frame": start,
        "end_frame": end,
        "start_ns": start * 33_333_333,
        "end_ns": end * 33_333_333,
        "label": label,
        "object": what,
        "outcome": "success",
        "author": "eve",
        "created_at": recording["created_at"],
        "annotation": annotation,
    }
