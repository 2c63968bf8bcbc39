"""Processing: what waits as submitted is extracted, checked and written as a shard, recording by recording."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from storage.catalog import RecordingRecord, TrajectoryRecord
from storage.errors import Conflict, CorruptObject, KinesphereError
from storage.recording import RecordingFile, State, description_key, video_key
from storage.trajectory import Trajectory, Valid
from storage.version import __version__
from storage.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from pose.extractor import Extractor
    from storage.shards import ShardRecord
    from storage.video import VideoFrame


@dataclass(frozen=True)
class Outcome:
    """What became of one recording."""

    recording: str
    state: State
    why: str
    frames: int
    frames_with_body: int
    hands_found: int
    shard: str
    shard_bytes: int


@dataclass(frozen=True)
class Failure:
    """A recording that could not be processed; it still waits as submitted."""

    recording: str
    error: str


class _Cancelled(KinesphereError):
    """The person pressed Ctrl-C: workers end at their next frame."""


def waiting(workspace: Workspace, recordings: Sequence[str] = ()) -> list[RecordingRecord]:
    """The submitted recordings, or those of them that are named.

    Raises:
        NotFound: a recording that was named does not exist.
        Conflict: it is not waiting to be processed.
    """
    if not recordings:
        return workspace.catalog.recordings(State.SUBMITTED)
    rows = [workspace.catalog.recording(name) for name in dict.fromkeys(recordings)]
    for row in rows:
        if row.state is not State.SUBMITTED:
            advice = "submit it first" if row.state is State.DRAFT else f"see: kinesphere status {row.recording}"
            raise Conflict(f"recording {row.recording} is {row.state}, not submitted; {advice}")
    return rows


def load_extractor(
    pose_model: Path | None = None, hand_model: Path | None = None, on_fetch: Callable[[str], None] | None = None
) -> Extractor:
    """The extractor, with models from the user's `.task` files or else from the cache, fetched if need be.

    Args:
        on_fetch: told in one line before something is downloaded.
    """
    from pose import models
    from pose.extractor import Extractor

    return Extractor(models.pose_model(pose_model, on_fetch=on_fetch), models.hand_model(hand_model, on_fetch=on_fetch))


def process(
    workspace: Workspace,
    recordings: Sequence[RecordingRecord],
    *,
    extractor: Extractor,
    workers: int,
    on_frames: Callable[[int], None] = lambda frames: None,
) -> list[Outcome | Failure]:
    """Extract, check and shard recordings; one that fails does not stop the others.

    Args:
        workers: how many recordings at a time; each uses about two cores.
        on_frames: told the number of frames done over all recordings, from any thread.

    Interrupted and repeated it ends the same: shards are named by their content, and a recording's checks,
    trajectory and new state enter the catalog together.
    """
    cancelled = threading.Event()
    done, lock = 0, threading.Lock()

    def count(frame: VideoFrame) -> None:
        nonlocal done
        if cancelled.is_set():
            raise _Cancelled("cancelled")
        with lock:
            done += 1
            on_frames(done)

    def one(row: RecordingRecord) -> Outcome | Failure:
        try:
            return _process_one(workspace, row, extractor, count)
        except _Cancelled:
            raise
        except KinesphereError as error:
            return Failure(row.recording, str(error))

    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [pool.submit(one, row) for row in recordings]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            cancelled.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _process_one(
    workspace: Workspace, row: RecordingRecord, extractor: Extractor, on_frame: Callable[[VideoFrame], None]
) -> Outcome:
    from annotate.checks import ImageSampler, next_state, run_checks
    from storage.shards import write_shard
    from storage.video import open_video

    description = _verified_description(workspace, row)
    samples = ImageSampler()

    def look(frame: VideoFrame) -> None:
        on_frame(frame)
        samples(frame)

    key = video_key(row.recording)
    with workspace.objects.open(key) as content, open_video(content, key) as video:
        trajectory = extractor.extract(video, recording=row.recording, contributor=row.contributor, on_frame=look)
        damaged = sorted({*description.origin.damaged_ns, *video.damaged})
    task = workspace.catalog.task(row.task, row.task_version).task
    checks = run_checks(task.criteria, trajectory, samples, damaged)
    state, why = next_state(checks)
    shard = write_shard(workspace.objects, [trajectory], software={"kinesphere": __version__})
    record = _trajectory_record(trajectory, shard)
    workspace.catalog.record_outcome(row.recording, state, checks=checks, trajectory=record, who="kinesphere", why=why)
    valid = trajectory.arrays["valid"]
    return Outcome(
        recording=row.recording,
        state=state,
        why=why,
        frames=len(trajectory),
        frames_with_body=int(((valid & Valid.BODY) > 0).sum()),
        hands_found=int(((valid & Valid.LEFT_HAND) > 0).sum() + ((valid & Valid.RIGHT_HAND) > 0).sum()),
        shard=shard.shard_id,
        shard_bytes=shard.size_bytes,
    )


def _verified_description(workspace: Workspace, row: RecordingRecord) -> RecordingFile:
    """The recording's description, once its video is known to be the bytes that were submitted."""
    key = description_key(row.recording)
    description = RecordingFile.from_bytes(workspace.objects.get(key), key)
    digest = hashlib.sha256()
    with workspace.objects.open(video_key(row.recording)) as content:
        while block := content.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != row.video_sha256:
        raise CorruptObject(f"object '{video_key(row.recording)}' is not what was submitted; restore it from a copy")
    return description


def _trajectory_record(trajectory: Trajectory, shard: ShardRecord) -> TrajectoryRecord:
    span = shard.spans[0]
    valid: Any = trajectory.arrays["valid"]

    def share(flag: Valid) -> float:
        return float(((valid & flag) > 0).mean())

    return TrajectoryRecord(
        recording=trajectory.recording,
        extractor=trajectory.extractor.extractor_id,
        shard=shard.shard_id,
        first_frame=span.first_frame,
        length=span.length,
        scale=trajectory.scale,
        body_share=share(Valid.BODY),
        left_hand_share=share(Valid.LEFT_HAND),
        right_hand_share=share(Valid.RIGHT_HAND),
    )
