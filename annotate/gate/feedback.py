"""Feedback: what a contributor is told about a recording, where in the video, and how to do better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from annotate.checks.built_in_checks import BUILT_IN
from annotate.checks.findings import finding_and_advice, sentence
from storage.catalog import Catalog, CheckRecord, RecordingRecord, ReviewRecord
from storage.recordings.recording import State
from storage.tasks.task import Task

TEMPLATES: Mapping[str, str] = {check.name: check.feedback for check in BUILT_IN.values()}
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
    """The command that records a take in its place; None where none is asked for."""


def texts(task: Task) -> dict[str, str]:
    """The feedback that reviewers may name: a task's own texts, in its language, before the built-in English ones.

    Args:
        task: whose texts come first.

    Returns:
        A text by the name of a check, or of what lies beyond checks.
    """
    return {**TEMPLATES, **BEYOND_CHECKS, **task.feedback}


def composed(task: Task, named: Sequence[str], words: str) -> str:
    """What a contributor reads: the texts that a reviewer named, then the reviewer's own words.

    Raises:
        KeyError: there is no such text; see `texts`.
    """
    known = texts(task)
    parts = [*(known[name] for name in named), *([words.strip()] if words.strip() else [])]
    return " ".join(dict.fromkeys(parts))  # checks of one fault have one text


def feedback_on(catalog: Catalog, recording: str) -> Feedback:
    """What the contributor of a recording is told.

    Of several reviewers, those speak who decided as it was decided; nobody does before it is decided.

    Args:
        catalog: of the workspace.
        recording: its id.

    Returns:
        What was found, where, how to do better, and how to record it again.

    Raises:
        NotFound: there is no such recording.
    """
    row = catalog.recording(recording)
    replaced_by = tuple(take.recording for take in catalog.replacements(recording))
    is_to_be_recorded_again = row.state in (State.RETURNED, State.REJECTED) and not replaced_by
    verb = "import VIDEO" if row.source_sha256 else "record"
    again = f"kinesphere {verb} --task {row.task} --contributor {row.contributor} --replaces {recording}"
    return Feedback(
        recording=recording,
        state=row.state,
        advice=tuple(_advice(catalog, row)),
        replaces=row.replaces,
        replaced_by=replaced_by,
        record_again=again if is_to_be_recorded_again else None,
    )


def where(ranges: Sequence[tuple[int, int]], *, most: int = 6) -> str:
    """Time ranges as people read them, e.g. `0:12-0:14, 1:05-1:07.5`.

    Args:
        ranges: half-open, int64 ns since the recording began.
        most: how many are written out; the others are counted.

    Returns:
        The text; empty where there are none.
    """
    shown = [f"{clock_time(start)}-{clock_time(end)}" for start, end in ranges[:most]]
    return ", ".join(shown) + (f" and {len(ranges) - most} more" if len(ranges) > most else "")


def clock_time(time_ns: int) -> str:
    """A time in minutes and seconds, with tenths where they are not whole, e.g. `1:07.5`.

    Args:
        time_ns: since the recording began.

    Returns:
        The text.
    """
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
    failed = [check for check in checks.values() if check.verdict == "fail"]
    return advice_from_checks(failed, texts(catalog.task(row.task).task))


def advice_from_checks(failed: Sequence[CheckRecord], known: Mapping[str, str]) -> list[Advice]:
    """One piece of advice a fault: checks that are helped by the same text are told together.

    Args:
        failed: results that are not passes.
        known: texts by the name of a check (`texts`); a check without one is helped by the advice in its message.

    Returns:
        In the order of the first check of each.
    """
    by_text: dict[str, list[CheckRecord]] = {}
    for check in failed:
        # the message of a result ends with the check's advice, which only for a plugin is all that there is
        by_text.setdefault(known.get(check.check) or sentence(finding_and_advice(check.message)[1]), []).append(check)
    return [
        Advice(
            "; ".join(finding_and_advice(check.message)[0] for check in checks),
            merged([found for check in checks for found in check.ranges]),
            better,
            tuple(check.check for check in checks),
        )
        for better, checks in by_text.items()
    ]


def _spoken(row: RecordingRecord, reviews: Sequence[ReviewRecord]) -> list[ReviewRecord]:
    """The opinions of the last round that agree with what was decided, where they say something."""
    decided = {State.ACCEPTED: "accept", State.RETURNED: "return", State.REJECTED: "reject"}.get(row.state)
    last = max((review.round for review in reviews), default=0)
    return [review for review in reviews if review.round == last and review.decision == decided and review.feedback]


def _from_review(review: ReviewRecord, checks: Mapping[str, CheckRecord]) -> Advice:
    doubted = [checks[name] for name in review.named if name in checks and checks[name].verdict != "pass"]
    found = "; ".join(finding_and_advice(check.message)[0] for check in doubted)
    return Advice(found, review.ranges, review.feedback, tuple(review.named))
