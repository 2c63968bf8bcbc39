"""Hiding heads in a stranger's video, in a process of its own: what that process does, and waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinesphere.errors import InvalidInput, InvalidVideo
from kinesphere.objects.store import Objects, open_objects
from kinesphere.video.video_keys import video_key
from pose.engines.engine import OnFrame, Result, Work
from pose.engines.isolation import Limits, WorkFailed, WorkProcess
from storage.catalog import TrajectoryRecord

if TYPE_CHECKING:
    from pose.drawing.blur import BlurReport
    from pose.drawing.bystanders import SeenBodies


@dataclass(frozen=True)
class Blurring:
    """A video in which heads are to be hidden."""

    objects: str
    """Where the objects are."""
    trajectory: TrajectoryRecord
    """Says where the head is."""
    frames: int
    file: Path
    """To write."""
    strict: bool
    others: tuple[SeenBodies, ...] = ()
    """Everybody whom `look` has found."""


def look(job: Blurring, on_frame: OnFrame) -> tuple[SeenBodies, ...]:
    """Find people, unless the head could not be hidden anyway; errors as in `blur_recording`."""
    from pose.drawing.bystanders import look_for_people
    from pose.networks.models import pose_model
    from storage.footage.video_reader import open_video

    objects, key = open_objects(job.objects), video_key(job.trajectory.recording)
    _arrays(objects, job.trajectory)
    with objects.open(key) as content:
        return tuple(look_for_people(open_video(content, key), pose_model(), lambda _frames: on_frame()))


def hide(job: Blurring, on_frame: OnFrame) -> BlurReport:
    """Write the file; errors as in `blur_recording`."""
    from pose.drawing.blur import blur_video
    from storage.footage.video_reader import open_video

    objects, key = open_objects(job.objects), video_key(job.trajectory.recording)
    arrays = _arrays(objects, job.trajectory)
    with objects.open(key) as content:
        video = open_video(content, key)
        return blur_video(
            video, arrays, job.file, others=job.others, strict=job.strict, on_progress=lambda _frames: on_frame()
        )


def done(process: WorkProcess, work: Work[Blurring, Result], job: Blurring, show: Callable[[int], None]) -> Result:
    """What the work comes to in the process; `show` is told how many frames are done.

    Raises:
        InvalidVideo: the work crashed there, or takes more than the limits.
        KinesphereError: what the work raises.
    """
    frames, limits = 0, Limits()

    def count(more: int = 1, /) -> None:
        nonlocal frames
        if more:
            frames += more
            show(frames)

    try:
        return process.run(work, job, count, memory_bytes=limits.memory_bytes, seconds=limits.seconds_for(job.frames))
    except WorkFailed as failed:
        raise InvalidVideo(f"recording {job.trajectory.recording} cannot be blurred: {failed}") from failed


def _arrays(objects: Objects, trajectory: TrajectoryRecord) -> dict[str, Any]:
    from kinesphere.shards.shard import OpenShards
    from kinesphere.trajectory import from_stored

    shards, stop = OpenShards(objects), trajectory.first_frame + trajectory.length
    specs = shards.specs(trajectory.shard)
    if "body_image" not in specs:
        raise InvalidInput(
            f"recording {trajectory.recording} cannot be blurred: its extractor gives no 'body_image', so nobody knows "
            "where heads are; extract it with the built-in one: kinesphere process --again"
        )
    return {
        name: from_stored(specs[name], shards.read(trajectory.shard, name, trajectory.first_frame, stop))
        for name in ("timestamp", "body_image", "valid")
    }
