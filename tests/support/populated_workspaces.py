"""Workspaces with accepted recordings and versions of them, made from generated trajectories without a camera."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from kinesphere.trajectory import Trajectory
from kinesphere.video.video_keys import video_key
from storage.catalog import CheckRecord, TrajectoryRecord
from storage.recordings.recording import Consent, Origin, RecordingFile, State, Video, description_key
from storage.recordings.segment import Segment
from storage.shards.shard_writer import write_shard
from storage.workspace import Workspace
from tests.support.generated_trajectories import make_trajectory
from tests.support.submitted_takes import TASK


def populate(
    workspace: Workspace,
    recordings: Mapping[str, int],
    *,
    frames: int = 40,
    accept: bool = True,
    with_sd: Collection[str] = (),
) -> None:
    """Enrol contributors with some recordings each; an accepted one has a trajectory and a segment.

    Trajectories of the contributors in `with_sd` have the additional arrays.
    """
    workspace.catalog.add_task(TASK)
    known = len(workspace.catalog.recordings())
    for contributor, count in recordings.items():
        workspace.catalog.add_contributor(contributor)
        for _ in range(count):
            sure = contributor in with_sd
            add_recording(workspace, contributor, seed=known, frames=frames, accept=accept, with_sd=sure)
            known += 1


def add_recording(
    workspace: Workspace,
    contributor: str,
    *,
    seed: int,
    frames: int = 40,
    accept: bool = True,
    with_sd: bool = False,
    changed: Callable[[Trajectory], Trajectory] | None = None,
    **consent: Any,
) -> RecordingFile:
    """A submitted recording, whose video is a few bytes; accepted, with a trajectory, or else still waiting.

    `changed` makes another trajectory of the one that is generated.
    """
    description = describe(contributor, seed=seed, frames=frames, **consent)
    recording, objects = description.recording, workspace.objects
    objects.put(video_key(recording), _video(seed))
    objects.put(description_key(recording), description.to_bytes())
    workspace.catalog.add_recording(description, who=contributor)
    workspace.catalog.submit(recording, who=contributor)
    if accept:
        accept_recording(workspace, description, seed=seed, with_sd=with_sd, changed=changed)
    return description


def describe(contributor: str, *, seed: int, frames: int = 40, **consent_fields: Any) -> RecordingFile:
    """What `recording.json` says of a generated recording; `consent_fields` are further fields of its consent."""
    now = datetime(2026, 11, 24, 8, 0, seed % 60, tzinfo=UTC)
    video = Video(
        sha256=hashlib.sha256(_video(seed)).hexdigest(),
        size_bytes=len(_video(seed)),
        codec="h264",
        width=1280,
        height=720,
        frames=frames,
        duration_ns=frames * 33_333_333,
        frame_rate=30.0,
    )
    consent = Consent(
        task=TASK.name,
        task_version=1,
        text_sha256=TASK.consent_sha256,
        language=TASK.language,
        agreed_at=now,
        method="flag",
        signed="",
        **consent_fields,
    )
    return RecordingFile(
        recording=f"20261124-{seed:06d}-{seed:08x}",
        task=TASK.name,
        task_version=1,
        contributor=contributor,
        created_at=now,
        consent=consent,
        video=video,
        origin=Origin(kind="camera"),
    )


def accept_recording(
    workspace: Workspace,
    description: RecordingFile,
    *,
    seed: int,
    with_sd: bool = False,
    changed: Callable[[Trajectory], Trajectory] | None = None,
) -> None:
    """Enter a trajectory, a check and a segment of a submitted recording, and accept it."""
    recording, frames = description.recording, description.video.frames
    trajectory = make_trajectory(
        frames, seed=seed, recording=recording, contributor=description.contributor, with_sd=with_sd
    )
    if changed is not None:
        trajectory = changed(trajectory)
    shard = write_shard(workspace.objects, [trajectory])
    found = TrajectoryRecord(recording, shard.extractor_id, shard.shard_id, 0, frames, "relative", 0.9, 0.8, 0.7)
    check = CheckRecord("duration_seconds", frames / 30, 1, 0, "pass", "long enough")
    workspace.catalog.record_outcome(
        recording, State.ACCEPTED, checks=[check], trajectory=found, who="kinesphere", why="all checks passed"
    )
    whole = Segment(0, frames * 33_333_333, "move", "whole body", start_frame=0, end_frame=frames)
    workspace.catalog.add_segment(recording, whole, author="eve")


def _video(seed: int) -> bytes:
    return f"video {seed}".encode()
