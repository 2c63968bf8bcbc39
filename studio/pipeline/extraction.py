"""What is done to one recording, free of the catalog, so that it can be done on any machine and more than once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kinesphere.errors import CorruptObject, KinesphereError, MissingDependency, NewerFormat, StorageFailed
from kinesphere.objects.store import Objects, open_objects
from kinesphere.trajectory import Trajectory, Valid
from kinesphere.version import __version__
from kinesphere.video.video_keys import video_key
from pose.engines.engine import OnFrame
from pose.extractors.extractor import DEFAULT, ExtractorOptions
from storage.catalog import CheckRecord, RecordingRecord, TrajectoryRecord
from storage.recordings.recording import RecordingFile, State, check_length, description_key
from storage.tasks.task import Task
from studio.pipeline.core_time import CORE_TIME

if TYPE_CHECKING:
    from pose.extractors.extractor import Extractor
    from storage.footage.video_reader import VideoFrame
    from storage.shards.shard_writer import ShardRecord


@dataclass(frozen=True)
class Job:
    """One recording to extract and check, and all that a machine needs to know for it."""

    recording: RecordingRecord
    task: Task
    """In the version that the recording was made under."""
    objects: str
    """Where the objects are: a folder or an object store's URL."""
    extractor: str = DEFAULT
    """Its name, which every machine knows that has the same packages."""
    options: ExtractorOptions = field(default_factory=ExtractorOptions)
    is_repeated: bool = False
    """Extracted again: what was checked and decided stays, and only another trajectory is made."""


@dataclass(frozen=True)
class Extracted:
    """What was found; the shard is written already."""

    recording: str
    state: State
    why: str
    checks: tuple[CheckRecord, ...]
    trajectory: TrajectoryRecord
    frames: int
    frames_with_body: int
    hands_found: int
    shard_bytes: int
    damaged_ns: tuple[int, ...]
    """Times of the frames that could not be decoded."""
    fingerprint: bytes = b""
    """A `Fingerprint`, to look for duplicates with; nothing for one that was extracted again."""


@dataclass(frozen=True)
class Failure:
    """A recording that could not be processed."""

    recording: str
    error: str
    counts: bool = True
    """Whether it says something of the recording, and not of a full disk, a network or what is installed."""
    tries: int | None = None
    """How often it has failed by now, where that is counted; it waits to be tried again, or for a person."""
    state: State | None = None
    """Of the recording now; None where it is as it was."""


@lru_cache(maxsize=4)
def load_extractor(name: str = DEFAULT, options: ExtractorOptions | None = None) -> Extractor:
    """The extractor of a name, opened once in a process for each set of options."""
    import cv2

    from pose.extractors.extractor_by_name import open_extractor

    # The networks keep every core busy: OpenCV's own threads would wait for each other beside them, spinning.
    cv2.setNumThreads(1)
    return open_extractor(name, options or ExtractorOptions())


def refuse_beforehand(job: Job, _on_frame: OnFrame) -> Failure | None:
    """Open the extractor, which stays open. What fails then is not the recording's fault."""
    try:
        load_extractor(job.extractor, job.options)
    except KinesphereError as error:
        return Failure(job.recording.recording, str(error), counts=False)
    return None


def extract_and_check(job: Job, on_frame: OnFrame) -> Extracted | Failure:
    """Extract and check one recording and write its shard. Repeated, it gives the same and writes the same bytes."""
    refused = refuse_beforehand(job, on_frame)
    if refused is not None:
        return refused
    try:
        with CORE_TIME.measured() as meter:
            found = _extract_and_check(job, on_frame)
    except (StorageFailed, MissingDependency, NewerFormat) as error:
        return Failure(job.recording.recording, str(error), counts=False)
    except KinesphereError as error:
        return Failure(job.recording.recording, str(error))
    return replace(found, trajectory=replace(found.trajectory, core_seconds=meter.core_seconds))


def _extract_and_check(job: Job, on_frame: OnFrame) -> Extracted:
    from annotate.checks.checks import next_state, run_checks
    from annotate.checks.evidence import Evidence, Footage, ImageSampler
    from annotate.duplicates.change_fingerprint import ChangeHasher
    from annotate.duplicates.fingerprint import Fingerprint
    from annotate.duplicates.motion_fingerprint import motion_fingerprint
    from annotate.duplicates.video_fingerprint import VideoHasher
    from pose.extractors.extractor import ExtractionReport
    from pose.geometry.focal_length import find_intrinsics
    from pose.geometry.metric import to_metric
    from pose.geometry.sheet import SheetFinder
    from storage.footage.video_reader import open_video
    from storage.shards.shard_writer import write_shard

    extractor = load_extractor(job.extractor, job.options)
    objects, row = open_objects(job.objects), job.recording
    check_length(row.recording, row.frames, row.frame_rate)
    description = verified_description(objects, row)
    camera, length, samples = description.origin.calibration, description.origin.known_length, ImageSampler()
    hints = description.origin.focal_length_35mm, description.origin.device
    pictures, changes = VideoHasher(), ChangeHasher()
    report = ExtractionReport()

    def look(frame: VideoFrame) -> None:
        on_frame()
        samples(frame)
        if not job.is_repeated:
            pictures(frame)
            changes(frame)
        if sheets is not None:
            sheets(frame)

    key = video_key(row.recording)
    with objects.open(key) as content, open_video(content, key) as video:
        size = video.width, video.height
        intrinsics = camera.intrinsics(*size) if camera is not None else find_intrinsics(*size, *hints)
        sheets = SheetFinder(length, intrinsics) if length is not None else None
        trajectory = extractor.extract(
            video,
            recording=row.recording,
            contributor=row.contributor,
            intrinsics=intrinsics,
            on_frame=look,
            report=report,
        )
        damaged = sorted({*description.origin.damaged_ns, *video.damaged})
        lengths = {"the recording's description": description.video.duration_ns, "the container": video.stated_ns}
    evidence = Evidence(
        Footage(
            trajectory.arrays["timestamp"],
            *size,
            samples,
            damaged,
            description.origin,
            {who: length for who, length in lengths.items() if length is not None},
        ),
        trajectory,
        report,
        description,
        job.task,
        row.task_version,
    )
    checks = [] if job.is_repeated else run_checks(job.task.criteria, evidence)
    state, why = (row.state, "extracted again") if job.is_repeated else next_state(checks)
    fingerprint = Fingerprint(pictures.fingerprint, motion_fingerprint(trajectory), changes.fingerprint)
    if length is not None and sheets is not None:
        trajectory, why_not = to_metric(trajectory, length, sheets.sightings)
        why += f"; lengths stay relative: {why_not}" if why_not else ""
    shard = write_shard(objects, [trajectory], software={"kinesphere": __version__})
    valid = trajectory.arrays["valid"]
    return Extracted(
        recording=row.recording,
        state=state,
        why=why,
        checks=tuple(checks),
        trajectory=_trajectory_record(trajectory, shard),
        frames=len(trajectory),
        frames_with_body=int(((valid & Valid.BODY) > 0).sum()),
        hands_found=int(((valid & Valid.LEFT_HAND) > 0).sum() + ((valid & Valid.RIGHT_HAND) > 0).sum()),
        shard_bytes=shard.size_bytes,
        damaged_ns=tuple(damaged),
        fingerprint=b"" if job.is_repeated else fingerprint.to_bytes(),
    )


def verified_description(objects: Objects, row: RecordingRecord) -> RecordingFile:
    """The recording's description, once its video is known to be the bytes that were submitted."""
    key = description_key(row.recording)
    description = RecordingFile.from_bytes(objects.get(key), key)
    digest = hashlib.sha256()
    with objects.open(video_key(row.recording)) as content:
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
