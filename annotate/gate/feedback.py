"""Feedback: what a contributor is told about a recording, where in the video, and how to do better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.catalog import Catalog, CheckRecord, RecordingRecord, ReviewRecord
from storage.recordings.recording import State
from storage.tasks.task import Task

TEMPLATES: Mapping[str, str] = {
    "duration_seconds": "Keep recording until the whole task is done, with a moment of rest before and after it.",
    "frame_rate": "Turn on more light and close other programs: in the dark and when busy, cameras are slow.",
    "shorter_side_pixels": "Choose a larger picture size, or another camera.",
    "longest_gap_seconds": "Close other programs and plug the camera in directly: the picture stood still.",
    "damaged_frames": "Record it again, and check the camera's cable: parts of the video cannot be read.",
    "brightness": "Turn on a light in front of you, or turn so that the window lights you.",
    "clipped_share": "Avoid a lamp or window behind you, and strong light from one side.",
    "sharpness": "Clean the lens, and let the camera focus on you before you begin.",
    "blur": "Clean the lens, and move a little further from the camera until the picture is sharp.",
    "frozen_share": "Close other programs and plug the camera in directly: many pictures only repeat the one before.",
    "camera_shake": "Put the camera on something firm and do not touch the table it stands on.",
    "person_visible_share": "Place the camera so that all of you stays in the picture the whole time.",
    "hands_visible_share": "Keep both hands in the picture, and nothing between them and the camera.",
    "length_mismatch_seconds": "Record it again: the end of the video is missing from the file.",
    "dropped_share": "Close other programs: this computer could not keep up with the camera.",
    "late_share": "Close other programs and plug the camera in directly: many pictures came late.",
    "upper_body_visible_share": "Move back a little until your head, shoulders and both arms are in the picture.",
    "hands_longest_absence_seconds": "Keep both hands in the picture: for a long while none could be seen.",
    "person_longest_absence_seconds": "Stay in the picture until you are done: for a long while nobody could be seen.",
    "upper_body_longest_absence_seconds": "Stay far enough away that your head and both arms are in the picture.",
    "consent_complete": "Please read the consent text again and agree to it before you record.",
    "duplicate": "Please record the task anew: this shows a take that was handed in already.",
    "other_people_share": "Record where nobody else passes through the picture.",
    "too_far": "Come nearer to the camera until you fill about half of the picture.",
    "too_near": "Move away from the camera until both arms fit into the picture.",
    "off_centre": "Place yourself in the middle of the picture.",
    "head_cut_off_share": "Tilt the camera up or move back until your whole head is in the picture.",
    "wrist_speed": "Do the task's movements: your hands hardly move here.",
    "track_jitter": "Use more light and plain clothes that differ from the wall: your movements are hard to follow.",
}
"""How to do better, by check, in English; a task may have texts of its own."""

BEYOND_CHECKS: Mapping[str, str] = {
    "task": "Please do what the task asks for, from its beginning to its end; it is shown before you record.",
    "privacy": "Somebody else, or something private, can be seen. Please record where only you are in the picture.",
}
"""How to do better where no check sees what is wrong."""


@dataclass(frozen=True)
class Advice:
    """One thing that a contributor is told."""

    what: str
    """What was found; empty where only a reviewer's words say it."""
    ranges: tuple[tuple[int, int], ...]
    """Where in the video: half-open time ranges, int64 ns since the recording began; empty: all of it."""
    better: str
    """How to do better, in the task's language."""
    named: tuple[str, ...]
    """The checks or texts of the task that it is about."""


@dataclass(frozen=True)
class Feedback:
    """All that a contributor is told about one recording."""

    recording: str
    state: State
    advice: tuple[Advice, ...]
    replaces: str | None
    replaced_by: tuple[str, ...]
    record_again: str | None
    """The command that records a take in its place; None where none is wanted."""


def texts(task: Task) -> dict[str, str]:
    """The feedback that reviewers may name: a task's own texts, in its language, before the built-in English ones."""
    return {**TEMPLATES, **BEYOND_CHECKS, **task.feedback}


def composed(task: Task, named: Sequence[str], words: str) -> str:
    """What a contributor reads: the texts that a reviewer named, then the reviewer's own words.

    Raises:
        KeyError: there is no such text; see `texts`.
    """
    known = texts(task)
    return " ".join([known[name] for name in dict.fromkeys(named)] + ([words.strip()] if words.strip() else []))


def feedback_on(catalog: Catalog, recording: str) -> Feedback:
    """What the contributor of a recording is told.

    Of several reviewers, those speak who decided as it was decided; nobody does before it is decided.

    Raises:
        NotFound: there is no such recording.
    """
    row = catalog.recording(recording)
    replaced_by = tuple(take.recording for take in catalog.replacements(recording))
    is_wanted_again = row.state in (State.RETURNED, State.REJECTED) and not replaced_by
    verb = "import VIDEO" if row.source_sha256 else "record"
    again = f"kinesphere {verb} --task {row.task} --contributor {row.contributor} --replaces {recording}"
    return Feedback(
        recording=recording,
        state=row.state,
        advice=tuple(_advice(catalog, row)),
        replaces=row.replaces,
        replaced_by=replaced_by,
        record_again=again if is_wanted_again else None,
    )


def where(ranges: Sequence[tuple[int, int]], *, most: int = 6) -> str:
    """Time ranges as people read them, e.g. `0:12-0:14, 1:05-1:07.5`."""
    shown = [f"{clock_time(start)}-{clock_time(end)}" for start, end in ranges[:most]]
    return ", ".join(shown) + (f" and {len(ranges) - most} more" if len(ranges) > most else "")


def clock_time(time_ns: int) -> str:
    """Minutes and seconds, with tenths where they are not whole, e.g. `1:07.5`."""
    tenths = round(time_ns / 1e8)
    minutes, rest = divmod(tenths, 600)
    return f"{minutes}:{rest // 10:02d}" + (f".{rest % 10}" if rest % 10 else "")


def merged(ranges: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The same times in order, where ranges that touch or overlap are one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return tuple(found)


def _advice(catalog: Catalog, row: RecordingRecord) -> list[Advice]:
    checks = {check.check: check for check in catalog.checks(row.recording)}
    spoken = _spoken(row, catalog.reviews(row.recording))
    if spoken:
        return [_from_review(review, checks) for review in spoken]
    if row.state is not State.REJECTED:
        return []
    known = texts(catalog.task(row.task).task)
    failed = [check for check in checks.values() if check.verdict == "fail"]
    return [Advice(check.message, check.ranges, known.get(check.check, ""), (check.check,)) for check in failed]


def _spoken(row: RecordingRecord, reviews: Sequence[ReviewRecord]) -> list[ReviewRecord]:
    """The opinions of the last round that agree with what was decided, where they say something."""
    decided = {State.ACCEPTED: "accept", State.RETURNED: "return", State.REJECTED: "reject"}.get(row.state)
    last = max((review.round for review in reviews), default=0)
    return [review for review in reviews if review.round == last and review.decision == decided and review.feedback]


def _from_review(review: ReviewRecord, checks: Mapping[str, CheckRecord]) -> Advice:
    found = [checks[name].message for name in review.named if name in checks and checks[name].verdict != "pass"]
    return Advice("; ".join(found), review.ranges, review.feedback, tuple(review.named))
