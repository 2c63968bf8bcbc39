"""Checks by what is written of a recording: its length, what the recorder lost, and consent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from storage.catalog import CheckRecord
from storage.recordings.recording import Consent, Origin, RecordingFile, Video
from storage.tasks.task import Task
from tests.support.check_evidence import SECOND, TIMES, checked

TASK = Task(name="move", title="Move", instructions="Move.", consent="I agree.")
LENGTH = int(TIMES[-1]) + SECOND // 30


@pytest.mark.parametrize(
    ("lengths", "value", "verdict"),
    [
        ({"the container": LENGTH, "the recorder": LENGTH}, 0, "pass"),
        ({"the container": LENGTH, "the recorder": LENGTH + 2 * SECOND}, 2, "doubt"),
        ({"the container": LENGTH - 6 * SECOND}, 6, "fail"),
    ],
)
def test_the_length_is_what_the_frames_last_whatever_others_say(
    lengths: dict[str, int], value: float, verdict: str
) -> None:
    check = checked(lengths=lengths)["length_mismatch_seconds"]
    assert check.value == pytest.approx(value, abs=1e-6) and check.verdict == verdict
    if verdict == "doubt":
        assert "the frames last 10.0 s, and the recorder says 12.0 s" in check.message


def test_frames_that_did_not_decode_were_there_all_the_same() -> None:
    damaged = [-SECOND, int(TIMES[-1]) + SECOND]
    check = checked(damaged=damaged, lengths={"the container": LENGTH + 2 * SECOND})["length_mismatch_seconds"]
    assert check.value == pytest.approx(0, abs=1e-6)


def test_what_was_lost_or_late_is_counted_and_pointed_at() -> None:
    lossy = Origin(
        kind="camera", dropped_frames=100, dropped_at_ns=(SECOND,), late_frames=60, late_at_ns=(2 * SECOND, 3 * SECOND)
    )
    checks = checked(origin=lossy)
    dropped, late = checks["dropped_share"], checks["late_share"]
    assert (dropped.value, dropped.verdict, dropped.ranges) == (0.25, "doubt", ((SECOND, SECOND + 1),))
    assert "100 frames (25.0%) were lost, because the computer was busy" in dropped.message
    assert (late.value, late.verdict, len(late.ranges)) == (0.2, "doubt", 2)
    assert checked(origin=Origin(kind="camera", dropped_frames=2))["dropped_share"].verdict == "pass"


def consented(task: Task = TASK, version: int = 1, given: Mapping[str, Any] = MappingProxyType({})) -> CheckRecord:
    now = datetime.now(UTC)
    usual: dict[str, Any] = {
        "task": "move",
        "task_version": 1,
        "text_sha256": TASK.consent_sha256,
        "language": "en",
        "agreed_at": now,
        "method": "typed",
    }
    description = RecordingFile(
        recording="r",
        task="move",
        task_version=1,
        contributor="c",
        created_at=now,
        consent=Consent(**{**usual, **given}),
        video=Video(sha256="", size_bytes=1, codec="h264", width=1, height=1, frames=1, duration_ns=1, frame_rate=30),
        origin=Origin(kind="camera"),
    )
    return checked(recording=description, task=task, task_version=version)["consent_complete"]


def test_complete_consent_passes() -> None:
    check = consented()
    assert (check.value, check.verdict, check.message) == (1, "pass", "your consent is complete")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"task": "pour"}, "it was given for the task 'pour' and not for 'move'"),
        ({"task_version": 2}, "it was given for version 2 of the task and not for 1"),
        ({"text_sha256": "0" * 64}, "the text that was agreed to is not the task's"),
        ({"version": 3}, "it was given for version 1 of the task and not for 3"),
    ],
)
def test_consent_for_something_else_is_rejected(changed: dict[str, Any], words: str) -> None:
    given = dict(changed)
    check = consented(version=given.pop("version", 1), given=given)
    assert check.verdict == "fail" and words in check.message


def test_a_signature_is_needed_where_the_task_says_so() -> None:
    strict = TASK.model_copy(update={"consent_signed": True})
    assert consented(strict, given={"signed": "A. B."}).verdict == "pass"
    unsigned = consented(strict, given={"signed": " "})
    assert unsigned.verdict == "fail" and "it is not signed" in unsigned.message
