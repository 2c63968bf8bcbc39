"""The recording as a record: what `recording.json` says about one take, beside its video."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from kinesphere.errors import CorruptObject, InvalidInput, NewerFormat
from storage.recordings.camera_calibration import CameraCalibration, KnownLength
from storage.recordings.consent import IMPLIED, ConsentMethod, Coverage, Scope

FORMAT_VERSION = 1
MOST_MOMENTS = 1000
"""Of one kind that an `Origin` lists."""


class State(StrEnum):
    """Where a recording is in its life; `storage.catalog` holds the allowed changes."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    FLAGGED = "flagged"
    REJECTED = "rejected"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Consent(_Model):
    """What the contributor agreed to: enough to prove it later."""

    task: str
    task_version: int
    text_sha256: str
    language: str
    agreed_at: datetime
    method: ConsentMethod
    signed: str = ""
    """The name or initials that they typed."""
    scopes: tuple[Scope, ...] = IMPLIED
    """What they consented to; see `Scope`. A record from before there were scopes covers no video."""
    expires_at: AwareDatetime | None = None
    """Until when; None is without an end."""

    @property
    def coverage(self) -> Coverage:
        """What it covers."""
        return Coverage(self.scopes, self.expires_at)


class Video(_Model):
    """The stored file `video.mp4`, as measured after it was written. Sizes are those of the upright picture."""

    sha256: str
    size_bytes: int
    codec: str
    width: int
    height: int
    frames: int
    duration_ns: int
    frame_rate: float


class OtherCamera(_Model):
    """Another camera's recording of the same take."""

    recording: str
    offset_ns: int
    """How much later than ours its first frame was taken: its times plus this are times of ours."""
    drift_ppm: float | None = None
    """How much faster than our camera's clock its runs; None where it is not known."""


class Origin(_Model):
    """Where the video came from, and what was lost or changed on the way."""

    kind: Literal["camera", "import"]
    device: str = ""
    encoder: str = ""
    started_at: datetime | None = None
    dropped_frames: int = 0
    dropped_at_ns: tuple[int, ...] = ()
    """When frames were lost because the computer was behind, since the first frame; the first 1,000."""
    late_frames: int = 0
    late_at_ns: tuple[int, ...] = ()
    """When frames came that were late, since the first frame; the first 1,000."""
    longest_gap_ns: int = 0
    pauses_ns: tuple[tuple[int, int], ...] = ()
    """From when until when the contributor had paused, since the first frame: no frames are there."""
    marks_ns: tuple[int, ...] = ()
    """Moments that the contributor marked, since the first frame."""
    drift_ppm: float | None = None
    """How much faster than the computer's clock the camera's runs, in parts per million; None where it is not known."""
    beside: tuple[OtherCamera, ...] = ()
    """Recordings that other cameras made of the same take."""
    ended: str = ""
    """`asked`, `full` (as long as can be), `source ended`, `source failed`, or `interrupted`: what a crash or a full
    disk left was made whole."""
    source_codec: str = ""
    source_sha256: str = ""
    transcoded: bool = False
    damaged_ns: tuple[int, ...] = ()
    retimed_ns: tuple[int, ...] = ()
    """When imported frames begin whose stated times could not be true, since the first frame; the first 1,000."""
    reshaped_ns: tuple[int, ...] = ()
    """When the imported picture changed its size, since the first frame; the first 1,000."""
    focal_length_35mm: float | None = None
    """Of the lens for the format of 35 mm film, in millimetres, as the imported file stated it."""
    calibration: CameraCalibration | None = None
    """Of the camera, as it was known when the recording was made; without it the focal length is estimated from
    `focal_length_35mm` or `device`, or assumed."""
    known_length: KnownLength | None = None
    """What gives lengths in metres; without it they are those of a model human."""


class RecordingFile(_Model):
    """The content of `recording.json`. Immutable once the recording is submitted."""

    format_version: int = FORMAT_VERSION
    recording: str
    task: str
    task_version: int
    contributor: str
    created_at: datetime
    consent: Consent
    video: Video
    origin: Origin
    replaces: Annotated[str | None, Field(description="the returned recording that this take replaces")] = None

    def to_bytes(self) -> bytes:
        """The file's content, for people too.

        Returns:
            Indented JSON.
        """
        return (self.model_dump_json(indent=2) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes, key: str) -> RecordingFile:
        """Read the content of the object `key`.

        Args:
            content: of the object.
            key: of the object, for the messages.

        Returns:
            What it says.

        Raises:
            NewerFormat: a later release wrote it.
            CorruptObject: it is not a recording's description.
        """
        try:
            found = cls.model_validate_json(content)
        except ValidationError as error:
            raise CorruptObject(
                f"object '{key}' is no description of a recording: {error.errors()[0]['msg']}"
            ) from error
        if found.format_version > FORMAT_VERSION:
            raise NewerFormat(f"object '{key}'", found.format_version, FORMAT_VERSION)
        return found


def check_length(recording: str, frames: int, frame_rate: float) -> None:
    """Make sure that a recording's trajectory will fit in a shard, before hours of work go into it.

    Args:
        recording: its id.
        frames: how many its video has.
        frame_rate: frames per second.

    Raises:
        InvalidInput: it is; the message says how to cut it.
    """
    from kinesphere.shards.shard import MAX_FRAMES

    if frames > MAX_FRAMES:
        minutes = max(1, int(0.9 * MAX_FRAMES / max(frame_rate, 1) / 60))
        raise InvalidInput(
            f"recording {recording} has {frames} frames and can have at most {MAX_FRAMES}; cut its video.mp4 and "
            f"import the parts: ffmpeg -i video.mp4 -c copy -f segment -segment_time {60 * minutes} "
            "-reset_timestamps 1 part-%02d.mp4"
        )


def description_key(recording: str) -> str:
    """Key of a recording's `recording.json`.

    Args:
        recording: its id.

    Returns:
        A key in the workspace's object store.
    """
    return f"recordings/{recording}/recording.json"


def blurred_note_key(recording: str) -> str:
    """Key of what says by which trajectory the head was hidden; it is written after the video.

    Args:
        recording: its id.

    Returns:
        A key in the workspace's object store.
    """
    return f"recordings/{recording}/blurred.json"
