"""Recordings that the gate has judged, and what reviewers are given of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from annotate.gate.review import next_to_review
from storage.catalog import CheckRecord, ReviewLeases, TrajectoryRecord, Verdict
from storage.recordings.recording import State
from storage.tasks.task import ReviewRules, Task
from storage.workspace import Workspace
from tests.support.populated_workspaces import describe

NEVER = ReviewRules(spot_check_share=0, gold_share=0)
TASK = Task(name="move", title="Move", instructions="Move.", consent="I agree.", review=NEVER)
SECOND = 1_000_000_000


on_both = pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)


def enrol(place: Workspace, task: Task) -> None:
    place.catalog.add_task(task)
    for contributor in ("c1", "c2", "c3"):
        place.catalog.add_contributor(contributor)


def rules(**values: Any) -> Task:
    return TASK.model_copy(update={"review": NEVER.model_copy(update=values)})


def judged(
    place: Workspace, contributor: str = "c1", *, state: State = State.FLAGGED, task: Task = TASK, **known: Any
) -> str:
    """A recording that the gate has judged: dark from 1 to 3 s if it was flagged."""
    stored, _ = place.catalog.add_task(task)
    description = describe(contributor, seed=len(place.catalog.recordings()), frames=300)
    description = description.model_copy(update={"task": task.name, "task_version": stored.version, **known})
    recording = description.recording
    place.catalog.add_recording(description, who=contributor)
    place.catalog.submit(recording, who=contributor)
    verdict: Verdict = "doubt" if state is State.FLAGGED else "fail" if state is State.REJECTED else "pass"
    ranges = ((SECOND, 3 * SECOND),) if verdict != "pass" else ()
    checks = [
        CheckRecord("blur", 0.1, 0.5, 1, "pass", "blur is 0.10 of 1"),
        CheckRecord("brightness", 32, 40, 10, verdict, "mean brightness is 32 of 255", ranges),
    ]
    where = TrajectoryRecord(recording, "e" * 16, "f" * 32, 0, 300, "relative", 1.0, 0.5, 0.25)
    place.catalog.record_outcome(recording, state, checks=checks, trajectory=where, who="kinesphere", why="checked")
    return recording


def clock_of(minutes: float) -> Callable[[], datetime]:
    """A clock that is some minutes fast."""
    return lambda: datetime.now(UTC) + timedelta(minutes=minutes)


def later(place: Workspace, minutes: float) -> ReviewLeases:
    """The leases as they are after some minutes."""
    return ReviewLeases(place.catalog, clock=clock_of(minutes))


def given_to(place: Workspace, reviewer: str, **asked: Any) -> str | None:
    found = next_to_review(place, reviewer, **asked)
    return found.recording if found is not None else None


def state_of(place: Workspace, recording: str) -> State:
    return place.catalog.recording(recording).state
