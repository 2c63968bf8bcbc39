"""Poison among good recordings: each fails alone, with its reason, and the others are processed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from sqlalchemy import update

from annotate.gate.review import decide, next_to_review
from capture.drafts.outbox import submit
from kinesphere.errors import Conflict
from kinesphere.objects.store import open_objects
from kinesphere.video.video_keys import video_key
from pose.engines.isolation import WORK_PROCESSES, Limits
from pose.engines.threads_engine import Threads
from storage.catalog import FailedTries, Reviews, Throughput
from storage.catalog.tables import RecordingTable
from storage.inspection.workspace_inspection import inspect
from storage.recordings.recording import State
from storage.tasks.task import Task
from storage.workspace import Workspace
from studio.pipeline.extraction import Extracted, Failure, Job, extract_and_check
from studio.pipeline.process import Outcome, process, processed, waiting
from tests.support.frail_extractor import POISON, Poison, install_frail_extractor
from tests.support.submitted_takes import TASK, make_take, make_workspace, rewrite_draft
from tests.support.video_clips import make_clip

WHATEVER = {"doubt": 0, "fail": 0}
PATIENT = {
    "camera_shake": {"doubt": 1, "fail": 2},
    "duration_seconds": WHATEVER,
    "hands_visible_share": WHATEVER,
    "shorter_side_pixels": WHATEVER,
    "upper_body_visible_share": WHATEVER,
}
LIMITS = Limits(memory_bytes=600 << 20, least_seconds=5, seconds_per_frame=10)
"""Two frames may take 20 s, which the good ones, that have more, do not depend on."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workspace]:
    made = make_workspace(tmp_path / "workspace", task=Task.model_validate({**TASK.model_dump(), "criteria": PATIENT}))
    yield made
    made.catalog.close()


@pytest.fixture
def poison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Poison:
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(install_frail_extractor(tmp_path / "site")))
    made = Poison(tmp_path / "poison.json")
    monkeypatch.setenv(POISON, str(made.file))
    made.set({})
    return made


def submitted(place: Workspace, clip: Path) -> str:
    recording = make_take(place, clip).recording
    submit(place, recording)
    return recording


def large_video(path: Path, side: int) -> bytes:
    """An MP4 of some square grey pictures in H.264: few bytes, whatever their size."""
    options = {"preset": "ultrafast", "threads": "1", "rc-lookahead": "0", "bf": "0"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options=options)
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame(side, side, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        for number in range(4):
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


def submitted_instead(place: Workspace, clip: Path, content: bytes) -> str:
    """A recording whose video is another than what was described, as only somebody who means harm sends it."""
    draft = make_take(place, clip)
    rewrite_draft(place, draft, content)
    digest = hashlib.sha256(content).hexdigest()
    with place.catalog.writing() as session:
        chosen = update(RecordingTable).where(RecordingTable.recording == draft.recording)
        session.execute(chosen.values(video_sha256=digest))
    submit(place, draft.recording)
    return draft.recording


def run(place: Workspace, recordings: list[str] | None = None, **options: object) -> dict[str, Outcome | Failure]:
    rows = waiting(place, recordings or ())
    engine, limits = options.get("engine", Threads(2)), options.get("limits", LIMITS)
    results = process(place, rows, engine=engine, extractor="frail", limits=limits)  # type: ignore[arg-type]
    assert [result.recording for result in results] == [row.recording for row in rows]
    return {result.recording: result for result in results}


def test_poison_fails_alone_and_says_why(place: Workspace, poison: Poison, tmp_path: Path) -> None:
    good, clip = make_clip(tmp_path / "good.mp4", 24), make_clip(tmp_path / "two.mp4", 2)
    first = submitted(place, good)
    huge = submitted_instead(place, clip, large_video(tmp_path / "huge.mp4", 6400))
    hungry = submitted_instead(place, good, large_video(tmp_path / "large.mp4", 6300))
    crashing, sleeping = submitted(place, clip), submitted(place, clip)
    eating, stumbling, last = (submitted(place, good) for _ in range(3))
    kinds = {crashing: "crash", eating: "eat", sleeping: "sleep", stumbling: "stumble"}
    poison.set(kinds)
    counted: list[int] = []
    rows = waiting(place)
    results = process(place, rows, engine=Threads(2), extractor="frail", limits=LIMITS, on_frames=counted.append)
    found = {result.recording: result for result in results}
    for name in (first, last):
        outcome = found[name]
        assert isinstance(outcome, Outcome) and outcome.frames == 24, outcome
    reasons = {name: found[name].error for name in found if isinstance(found[name], Failure)}  # type: ignore[union-attr]
    assert "has pictures of 6400x6400 and can have at most 40 million pixels" in reasons.pop(huge)
    assert reasons == {
        hungry: "it needed more than 0.586 GB of memory",
        crashing: "what reads or extracts it crashed (SIGSEGV)",
        sleeping: "it took longer than 20 seconds",
        eating: "it needed more than 0.586 GB of memory",
        stumbling: "ValueError: no such column",
    }
    for name in kinds:
        assert place.catalog.recording(name).state is State.SUBMITTED
        event = place.catalog.events(name)[-1]
        assert (event.from_state, event.to_state, event.who) == (State.SUBMITTED, State.SUBMITTED, "kinesphere")
        assert event.why == f"try 1 of 3 failed: {reasons[name]}"
    assert counted == sorted(counted) and counted[-1] >= 48
    assert WORK_PROCESSES._idle == []


def test_after_three_tries_a_person_is_asked_and_nobody_tries_again(
    place: Workspace, poison: Poison, tmp_path: Path
) -> None:
    bad, good = (submitted(place, make_clip(tmp_path / f"{n}.mp4", 24 + n)) for n in range(2))
    poison.set({bad: "stumble"})
    waits = []
    for number in (1, 2, 3):
        failure = run(place, [bad] if number > 1 else None)[bad]
        assert isinstance(failure, Failure) and failure.counts and failure.tries == number
        assert failure.state is (State.FLAGGED if number == 3 else State.SUBMITTED)
        waits.append(next(queue.oldest for queue in Throughput(place.catalog).queues() if queue.state == "submitted"))
    assert waits[0] == waits[1], "it waits since it was handed in"
    assert place.catalog.recording(bad).state is State.FLAGGED and waiting(place) == []
    assert [event.why for event in place.catalog.events(bad)][2:] == [
        f"try {number} of 3 failed: ValueError: no such column" for number in (1, 2, 3)
    ]
    assert {row.recording.recording for row in Reviews(place.catalog).queue()} >= {bad}
    assert inspect(place).problems == ()
    evidence = next_to_review(place, "rosa", past=[good])
    assert evidence is not None and evidence.recording == bad and evidence.findings == ()
    assert evidence.failure == "try 3 of 3 failed: ValueError: no such column"
    with pytest.raises(Conflict, match="could not be processed, so there is nothing to accept"):
        decide(place, bad, "accept", reviewer="rosa")
    decide(place, bad, "return", reviewer="rosa", words="Please record it again.")
    assert place.catalog.recording(bad).state is State.RETURNED
    assert FailedTries(place.catalog).unprocessed() == {}


@pytest.mark.parametrize("seconds", [0.0, 60.0], ids=["which passes", "which is doubted"])
def test_somebody_tries_again_what_was_flagged(
    place: Workspace, poison: Poison, tmp_path: Path, seconds: float
) -> None:
    criteria = {**PATIENT, "duration_seconds": {"doubt": seconds, "fail": 0}}
    place.catalog.add_task(Task.model_validate({**TASK.model_dump(), "criteria": criteria}))
    bad = submitted(place, make_clip(tmp_path / "clip.mp4", 24))
    poison.set({bad: "stumble"})
    for _ in range(3):
        run(place)

    def again() -> Outcome | Failure:
        (result,) = process(place, processed(place), engine=Threads(1), extractor="frail", limits=LIMITS)
        return result

    failure = again()
    assert isinstance(failure, Failure) and (failure.tries, failure.state) == (3, State.FLAGGED)
    assert place.catalog.events(bad)[-1].why == "tried again, and failed: ValueError: no such column"
    assert list(FailedTries(place.catalog).unprocessed()) == [bad]
    poison.set({})
    outcome = again()
    assert isinstance(outcome, Outcome) and outcome.frames == 24
    expected = State.FLAGGED if seconds else State.ACCEPTED
    assert place.catalog.recording(bad).state is outcome.state is expected
    assert {check.check for check in place.catalog.checks(bad)} >= {"duration_seconds", "duplicate"}
    assert FailedTries(place.catalog).unprocessed() == {}
    assert [row.recording.recording for row in Reviews(place.catalog).queue()] == ([bad] if seconds else [])
    assert inspect(place).problems == ()
    checks = place.catalog.checks(bad)
    assert isinstance(again(), Outcome) and place.catalog.checks(bad) == checks, "from now on it is only repeated"


def test_what_says_nothing_of_the_recording_is_not_counted(place: Workspace, poison: Poison, tmp_path: Path) -> None:
    recording = submitted(place, make_clip(tmp_path / "clip.mp4", 12))
    events = place.catalog.events(recording)
    for extractor, words in (
        ("no-such", "no extractor named 'no-such'"),
        ("broken", "the extractor broken cannot be opened: what reads or extracts it crashed (SIGSEGV)"),
    ):
        (failure,) = process(place, waiting(place), engine=Threads(1), extractor=extractor, limits=LIMITS)
        assert isinstance(failure, Failure) and words in failure.error
        assert not failure.counts and failure.tries is None
    (tmp_path / "workspace/shards").write_text("where a folder should be")
    failure = run(place)[recording]
    assert isinstance(failure, Failure) and not failure.counts, failure
    assert place.catalog.events(recording) == events and len(waiting(place)) == 1


def test_a_video_that_is_gone_is_counted(place: Workspace, poison: Poison, tmp_path: Path) -> None:
    recording = submitted(place, make_clip(tmp_path / "clip.mp4", 12))
    place.objects.delete(video_key(recording))
    failure = run(place)[recording]
    assert isinstance(failure, Failure) and failure.tries == 1 and "is missing" in failure.error


def test_what_was_processed_before_keeps_its_state_when_another_extraction_fails(
    place: Workspace, poison: Poison, tmp_path: Path
) -> None:
    recording = submitted(place, make_clip(tmp_path / "clip.mp4", 24))
    run(place)
    state, events = place.catalog.recording(recording).state, place.catalog.events(recording)
    poison.set({recording: "crash"})
    (failure,) = process(place, processed(place), engine=Threads(1), extractor="frail", limits=LIMITS)
    assert isinstance(failure, Failure) and "SIGSEGV" in failure.error and failure.tries is None
    assert place.catalog.recording(recording).state is state and place.catalog.events(recording) == events


def test_two_processes_that_fail_at_once_count_no_more_than_there_are(place: Workspace, tmp_path: Path) -> None:
    recording = submitted(place, make_clip(tmp_path / "clip.mp4", 12))
    tries = FailedTries(place.catalog)
    assert [tries.enter(recording, why="x").tries for _ in range(3)] == [1, 2, 3]
    assert tries.enter(recording, why="late").state is State.FLAGGED
    place.catalog.withdraw(recording, who="c001", why="mine")
    with pytest.raises(Conflict, match="no longer waits"):
        tries.enter(recording, why="later still")


def test_isolated_or_not_the_bytes_are_the_same(place: Workspace, tmp_path: Path) -> None:
    recording = submitted(place, make_clip(tmp_path / "clip.mp4", 30))
    (row,) = waiting(place)
    other = tmp_path / "other"
    open_objects(other, create=True)
    for key in place.objects.keys("recordings"):
        open_objects(other).put(key, place.objects.get(key))
    alone = extract_and_check(Job(row, place.catalog.task("move").task, str(other)), lambda _frames=1: None)
    assert isinstance(alone, Extracted)
    (outcome,) = process(place, [row], engine=Threads(1))
    assert isinstance(outcome, Outcome) and outcome.shard == alone.trajectory.shard
    keys = list(place.objects.keys("shards"))
    assert keys == list(open_objects(other).keys("shards"))
    assert all(place.objects.get(key) == open_objects(other).get(key) for key in keys)
    stored = {check.check: check for check in place.catalog.checks(recording)}
    assert json.dumps([stored[check.check].message for check in alone.checks]) == json.dumps(
        [check.message for check in alone.checks]
    )
