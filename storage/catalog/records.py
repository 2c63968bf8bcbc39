"""What the catalog gives and takes: frozen dataclasses, free of SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from storage.recordings.consent import IMPLIED, Scope
from storage.recordings.recording import State
from storage.tasks.task import Task

Verdict = Literal["pass", "doubt", "fail"]
Decision = Literal["accept", "return", "reject"]
ExportState = Literal["writing", "made", "removed", "unreachable"]
"""Of a copy of a version: begun, whole, taken away by an erasure, or to be taken away as soon as it can be reached."""
Reason = Literal["doubt", "spot check", "second opinion", "tie", "gold"]
"""Why somebody is asked for an opinion."""


@dataclass(frozen=True)
class StoredTask:
    """One version of a task."""

    task: Task
    version: int
    created_at: datetime


@dataclass(frozen=True)
class RecordingRecord:
    """One recording and its present state."""

    recording: str
    task: str
    task_version: int
    contributor: str
    state: State
    created_at: datetime
    duration_ns: int
    frames: int
    width: int
    height: int
    frame_rate: float
    video_sha256: str
    source_sha256: str
    replaces: str | None
    sent_to: str | None = None
    """URL of the server that has it; then it is processed there, and not in this workspace."""
    scopes: tuple[Scope, ...] = IMPLIED
    """What its contributor consented to."""
    consent_expires_at: datetime | None = None


@dataclass(frozen=True)
class Event:
    """One change of a recording's state: who, when, why."""

    recording: str
    at: datetime
    who: str
    from_state: State | None
    to_state: State
    why: str


@dataclass(frozen=True)
class Failed:
    """What follows from a recording that could not be processed."""

    tries: int
    """How often that has happened while it waited."""
    state: State
    """It waits to be tried again, or for a person."""


@dataclass(frozen=True)
class CheckRecord:
    """One automated criterion applied to a recording.

    `ranges` are the half-open time ranges concerned, int64 ns since the recording began.
    """

    check: str
    value: float
    doubt: float
    fail: float
    verdict: Verdict
    message: str
    ranges: tuple[tuple[int, int], ...] = ()


class CheckValue(NamedTuple):
    """What is left of a `CheckRecord` where there are millions."""

    check: str
    value: float
    doubt: float
    fail: float
    verdict: Verdict


@dataclass(frozen=True)
class TrajectoryRecord:
    """Where the trajectory of a recording lies, and how much was found in it (shares of its frames, 0..1)."""

    recording: str
    extractor: str
    shard: str
    first_frame: int
    length: int
    scale: str
    body_share: float
    left_hand_share: float
    right_hand_share: float
    core_seconds: float | None = field(default=None, compare=False)
    """Processor time that it took; None where it was not measured."""


@dataclass(frozen=True)
class ReviewRecord:
    """A person's opinion on a recording, with the feedback that the contributor reads."""

    recording: str
    reviewer: str
    decision: Decision
    feedback: str
    at: datetime
    reason: Reason = "doubt"
    round: int = 1
    """Which time the recording was up for review; the opinions of a round lead to one decision."""
    named: Sequence[str] = ()
    """Checks, or other feedback of the task, that the reviewer named as the reason."""
    ranges: tuple[tuple[int, int], ...] = ()
    """Half-open time ranges concerned, int64 ns since the recording began."""
    asked_at: datetime | None = None
    """Since when the contributor waited for this decision."""
    begun_at: datetime | None = None
    """When the reviewer was given the recording; None where they decided without asking for it."""


@dataclass(frozen=True)
class ReviewLease:
    """A recording that one reviewer looks at, and nobody else until the lease ends."""

    recording: str
    reviewer: str
    reason: Reason
    """Not for the reviewer, who is not to know what is a test."""
    begun_at: datetime
    until: datetime


@dataclass(frozen=True)
class WaitingReview:
    """A recording in the queue."""

    recording: RecordingRecord
    reasons: tuple[Reason, ...]
    """One for each opinion that is still asked for."""
    asked_at: datetime
    opinions: int
    """How many were given in this round."""
    leased_by: str | None
    leased_until: datetime | None


@dataclass(frozen=True)
class GoldRecord:
    """A recording whose right decision is known."""

    recording: str
    decision: Decision
    marked_by: str
    marked_at: datetime


@dataclass(frozen=True)
class ErasureRecord:
    """The erasure of a contributor, or of withdrawn recordings."""

    receipt: str
    contributor: str | None
    """Whom it erases, until it is done; None where it erases withdrawn recordings, and from then on."""
    who: str
    begun_at: datetime
    done_at: datetime | None
    tombstone: Mapping[str, Any] | None
    """What is kept of it once it is done; see `storage.erasure.erasure`."""


@dataclass(frozen=True)
class ExportRecord:
    """A copy of a version outside the workspace."""

    export: str
    dataset: str
    version: int
    format: str
    location: str
    """Folder, or URL of a prefix in an object store."""
    made_on: str
    """Name of the computer, which tells where a folder is."""
    made_by: str
    made_at: datetime
    state: ExportState
    receipt: str | None = None
    """Of the erasure that removed it, made it again without those who left, or could not reach it."""
    held_before: int | None = None
    """The version that it held until then."""


@dataclass(frozen=True)
class Arrivals:
    """What was recorded on one day (UTC) for one task."""

    day: date
    task: str
    recordings: int
    seconds: float


@dataclass(frozen=True)
class Queue:
    """The recordings in one state."""

    state: State
    recordings: int
    hours: float
    oldest: datetime | None
    """Since when the first of them is in it; only known of states in which something waits."""
    median_wait_seconds: float | None


@dataclass(frozen=True)
class DataToErase:
    """What the catalog knows that an erasure takes away."""

    recordings: tuple[str, ...]
    shards: tuple[str, ...]
    frames: int
    duration_ns: int
