"""Who is given which recording to label, how often, and which of their segments count."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from annotate.labels.label_comparison import agreed_segments
from kinesphere.errors import Conflict, InvalidInput, NotFound, Withdrawn
from storage.catalog import (
    AnnotationRecord,
    Annotations,
    Annotator,
    LabelOperations,
    LabelQueue,
)
from storage.catalog.tables import AnnotationTable, LabelOperationTable, LabelPriorityTable, SegmentTable
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.recordings.recording import State
from storage.recordings.segment import Segment
from storage.workspace import Workspace, create_workspace
from tests.support.annotated_recordings import POUR, TWICE, content, new, waiting

BEN, CARLA, DORA = Annotator("ben"), Annotator("carla"), Annotator("dora")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder: Path = tmp_path_factory.mktemp("labels") / "place"
    url = "sqlite:///catalog.sqlite" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = create_workspace(folder, catalog=url)
    yield made
    made.catalog.close()


@pytest.fixture
def place(opened: Workspace) -> Workspace:
    """A workspace in which nothing waits to be labelled."""
    for recording in opened.catalog.recordings(State.ACCEPTED):
        opened.catalog.withdraw(recording.recording, who="anna", why="a new test")
    with opened.catalog.writing() as session:
        for table in (SegmentTable, LabelOperationTable, AnnotationTable, LabelPriorityTable):
            session.execute(delete(table))
    return opened


def queue(place: Workspace, minutes: float = 0) -> LabelQueue:
    """The queue as it is after some minutes."""
    return LabelQueue(labels(place, minutes))


def labels(place: Workspace, minutes: float = 0) -> Annotations:
    return Annotations(place.catalog, agreed_segments, lambda: datetime.now(UTC) + timedelta(minutes=minutes))


def given(place: Workspace, who: Annotator, minutes: float = 0, **asked: Any) -> AnnotationRecord:
    found = queue(place, minutes).next(who, **asked)
    assert found is not None
    return found


def labelled(place: Workspace, recording: str, who: Annotator, *contents: Segment) -> str:
    """An annotation that is done."""
    made, _ = labels(place).begin(recording, who)
    if contents:
        LabelOperations(place.catalog).apply(made.annotation, [new(*contents)], who=who.name)
    return labels(place).done(made.annotation).annotation


def published(place: Workspace) -> list[tuple[str, str | None]]:
    return [(row["recording"], row["label"]) for row in place.catalog.publishable().to_pylist()]


def test_each_annotator_gets_the_oldest_that_nobody_has(place: Workspace) -> None:
    first, second, third = (waiting(place) for _ in range(3))
    assert given(place, BEN).recording == first
    assert given(place, BEN).recording == first, "asked again, the same one"
    assert given(place, CARLA).recording == second
    assert given(place, BEN, past=[first]).recording == third
    assert queue(place).next(DORA) is None
    assert given(place, DORA, 31).recording == first, "its lease has ended"


def test_a_lease_is_renewed_by_edits_and_by_the_heartbeat_and_given_up_to_who_came_first(place: Workspace) -> None:
    recording = waiting(place)
    mine = given(place, BEN)
    later = LabelOperations(place.catalog, lambda: datetime.now(UTC) + timedelta(minutes=20))
    later.apply(mine.annotation, [new(content())], who="ben")
    assert queue(place, 40).next(CARLA) is None
    labels(place, 45).renew(mine.annotation)
    assert queue(place, 70).next(CARLA) is None
    theirs = given(place, CARLA, 80)
    assert theirs.recording == recording and theirs.annotation != mine.annotation
    held = labels(place, 81).renew(mine.annotation)
    assert held.leased_until is not None and held.leased_until < datetime.now(UTC) + timedelta(minutes=76)
    assert queue(place, 81).next(BEN) is None, "carla has it"
    LabelOperations(place.catalog).apply(mine.annotation, [new(content())], who="ben")  # and nothing of ben's is lost
    assert len(LabelOperations(place.catalog).segments(mine.annotation)) == 2


def test_nobody_labels_their_own_and_code_s_segments_count_as_labelled(place: Workspace) -> None:
    recording = waiting(place, "anna")
    for own in (Annotator("anna"), Annotator("someone", contributor="anna")):
        assert queue(place).next(own) is None
        assert queue(place).counts(own) == {}
        with pytest.raises(Conflict, match="nobody labels their own"):
            labels(place).begin(recording, own)
    assert queue(place).counts(BEN) == {"pour": 1}
    place.catalog.add_segment(recording, content(0, 9), author="robot")
    assert queue(place).next(BEN) is None
    assert queue(place).waiting() == []


def test_priority_of_a_recording_goes_before_that_of_its_task(place: Workspace) -> None:
    other = POUR.model_copy(update={"name": "stir", "language": "pt-BR"})
    first, second, third, fourth = (waiting(place, task=task) for task in (POUR, POUR, other, other))
    queue(place).set_priority(5, task="stir")
    queue(place).set_priority(7, recording=second)
    queue(place).set_priority(-1, recording=third)
    order = [(found.recording.recording, found.priority) for found in queue(place).waiting()]
    assert order == [(second, 7), (fourth, 5), (first, 0), (third, -1)]
    people = [Annotator(f"person {number}") for number in range(4)]
    assert [given(place, person).recording for person in people] == [second, fourth, first, third]
    queue(place).set_priority(0, task="stir")
    queue(place).set_priority(0, recording=third)
    assert given(place, DORA, 31, language="pt").recording == third
    assert given(place, Annotator("eve"), 31, task="pour").recording == second
    with pytest.raises(NotFound, match="no task named 'fold'"):
        queue(place).next(BEN, task="fold")


def test_what_is_skipped_goes_to_others_and_at_last_to_the_operator(place: Workspace) -> None:
    recording = waiting(place)
    for who, reason in ((BEN, "the cup is not to be seen"), (CARLA, "too dark")):
        mine = given(place, who)
        with pytest.raises(InvalidInput, match="say why"):
            labels(place).skip(mine.annotation, reason=" ")
        labels(place).skip(mine.annotation, reason=reason)
        assert queue(place).next(who) is None
    (found,) = queue(place).waiting()
    assert [skip.reason for skip in found.skips] == ["the cup is not to be seen", "too dark"]
    assert found.skipped_by_all
    labelled(place, waiting(place), DORA)
    assert not queue(place).waiting()[0].skipped_by_all, "dora has not seen it"
    mine, is_new = labels(place).begin(recording, BEN)
    assert (mine.state, is_new) == ("open", False), "who names it goes on with it"


def test_a_recording_is_begun_by_name_unless_somebody_has_it_or_it_cannot_be(place: Workspace) -> None:
    recording = waiting(place)
    mine, is_new = labels(place).begin(recording, BEN)
    assert is_new and mine == labels(place).get(mine.annotation)
    assert labels(place).begin(recording, BEN)[1] is False
    with pytest.raises(Conflict, match="is with another annotator until"):
        labels(place).begin(recording, CARLA)
    assert labels(place, 31).begin(recording, CARLA)[1]
    with pytest.raises(Conflict, match="nothing to adjudicate"):
        labels(place).begin(recording, DORA, "adjudicate")
    with pytest.raises(NotFound, match="no recording named"):
        labels(place).begin("20260101-000000-00000000", BEN)
    place.catalog.withdraw(recording, who="anna", why="")
    with pytest.raises(Withdrawn):
        labels(place).begin(recording, DORA)
    assert [made.leased_until for made in labels(place).of_recording(recording)] == [None, None]
    assert place.catalog.events(recording)[-1].to_state is State.WITHDRAWN


def test_the_share_that_two_label_is_drawn_by_the_recording_and_neither_waits_for_the_other(place: Workspace) -> None:
    recording = waiting(place, task=TWICE)
    first = given(place, BEN)
    second = given(place, CARLA)
    assert first.recording == second.recording == recording
    assert queue(place).next(DORA) is None
    half = TWICE.model_copy(
        update={"name": "half", "labelling": TWICE.labelling.model_copy(update={"double_share": 0.5})}
    )
    drawn = [labels(place).begin(waiting(place, task=half), DORA)[0] for _ in range(24)]
    assert 3 <= sum(made.opinions == 2 for made in drawn) <= 21


def test_two_who_agree_need_nobody_and_two_who_differ_a_third(place: Workspace) -> None:
    same, other = waiting(place, task=TWICE), waiting(place, task=TWICE)
    labelled(place, same, BEN, content(0, 10), content(10, 20, "grasp"))
    labelled(place, same, CARLA, content(2, 11), content(12, 19, "grasp", note="slow"))
    assert queue(place).next(DORA, past=[other]) is None
    first = labelled(place, other, BEN, content(0, 10), content(10, 20, "grasp"))
    second = labelled(place, other, CARLA, content(1, 9), content(10, 20, "pour"))
    assert queue(place).next(BEN) is None, "who has labelled it does not adjudicate it"
    with pytest.raises(Conflict, match="somebody else adjudicates it"):
        labels(place).begin(other, CARLA, "adjudicate")
    assert [(found.purpose, found.recording.recording) for found in queue(place).waiting()] == [("adjudicate", other)]
    made = given(place, DORA)
    assert (made.recording, made.purpose, made.revision, made.segments) == (other, "adjudicate", 1, 1)
    operations = LabelOperations(place.catalog)
    (begin,) = operations.changes(made.annotation, after=0)
    assert (begin.kind, begin.changes[0].after) == ("begin", content(0, 10))
    assert queue(place).next(Annotator("eve")) is None, "dora has it"
    operations.apply(made.annotation, [new(content(10, 20, "pour"))], who="dora")
    assert published(place) == [(same, "reach"), (same, "grasp"), (other, "reach"), (other, "grasp")], "the first done"
    labels(place).done(made.annotation)
    assert published(place)[2:] == [(other, "reach"), (other, "pour")]
    assert queue(place).waiting() == []
    for annotation in (first, second):
        with pytest.raises(Conflict, match="is adjudicated"):
            labels(place).reopen(annotation)
    labels(place).reopen(made.annotation)
    assert published(place)[2:] == [(other, "reach"), (other, "grasp")], "an open adjudication decides nothing"


def test_what_is_published_is_the_first_that_was_done_and_what_code_has_made(place: Workspace) -> None:
    recording = waiting(place)
    assert published(place) == [(recording, None)]
    mine, _ = labels(place).begin(recording, BEN)
    operations = LabelOperations(place.catalog)
    operations.apply(mine.annotation, [new(content(0, 10))], who="ben")
    assert published(place) == [(recording, None)], "open ones do not count"
    labels(place, 31).begin(recording, CARLA)
    labelled(place, recording, CARLA, content(0, 10, "pour"))
    assert published(place) == [(recording, "pour")]
    labels(place).done(mine.annotation)
    assert published(place) == [(recording, "pour")]
    assert [segment.label for segment in place.catalog.segments(recording)] == ["pour"]
    place.catalog.add_segment(recording, content(20, 30, "grasp"), author="code")
    assert published(place) == [(recording, "pour"), (recording, "grasp")]
    skipped = labels(place).of_recording(recording)[1]
    assert skipped.annotator == "carla"
    labels(place).reopen(skipped.annotation)
    labels(place).skip(skipped.annotation, reason="no")
    assert published(place) == [(recording, "reach"), (recording, "grasp")]


def test_done_is_refused_to_who_has_not_seen_the_last_change(place: Workspace) -> None:
    mine, _ = labels(place).begin(waiting(place), BEN)
    LabelOperations(place.catalog).apply(mine.annotation, [new(content())], who="ben")
    with pytest.raises(Conflict, match="has revision 1 by now"):
        labels(place).done(mine.annotation, revision=0)
    done = labels(place).done(mine.annotation, revision=1)
    assert done.done_at is not None and labels(place).done(mine.annotation) == done
    with pytest.raises(Conflict, match="is done; reopen it first"):
        labels(place).skip(mine.annotation, reason="no")


def test_a_recording_that_is_doubted_again_can_be_finished_but_is_given_to_nobody(place: Workspace) -> None:
    from storage.catalog.state_machine import move

    recording = waiting(place)
    mine, _ = labels(place).begin(recording, BEN)
    with place.catalog.writing() as session:
        move(session, recording, State.FLAGGED, who="r1", why="spot check")
    LabelOperations(place.catalog).apply(mine.annotation, [new(content())], who="ben")
    assert queue(place).next(BEN) is None
    with place.catalog.writing() as session:
        move(session, recording, State.REJECTED, who="r1", why="wrong task")
    with pytest.raises(Conflict, match="is rejected; it is not labelled any more"):
        LabelOperations(place.catalog).apply(mine.annotation, [new(content())], who="ben")


def test_progress_counts_what_was_done_since_then(place: Workspace) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    recording = waiting(place)
    labelled(place, recording, BEN, content(0, 5), content(5, 9))
    labels(place).begin(waiting(place), BEN)
    done = queue(place).progress("ben", since=before)
    assert (done.annotations, done.segments) == (1, 2)
    assert done.labelled_ns == place.catalog.recording(recording).duration_ns
    assert queue(place).progress("carla", since=before).annotations == 0
    assert queue(place).progress("ben", since=datetime.now(UTC) + timedelta(minutes=1)).segments == 0


def test_erasing_a_contributor_leaves_nothing_of_what_others_labelled(place: Workspace) -> None:
    recording, other = waiting(place, "leaving", in_store=True), waiting(place, "staying")
    gone = labelled(place, recording, BEN, content(note="she pours with the left hand"))
    stays = labelled(place, other, BEN, content())
    queue(place).set_priority(3, recording=recording)
    erase(place, "leaving", who="eve")
    assert find_traces(place, "leaving") == []
    with pytest.raises(NotFound):
        labels(place).get(gone)
    assert len(LabelOperations(place.catalog).segments(stays)) == 1
    with place.catalog.writing() as session:
        session.add(LabelPriorityTable(recording=recording, priority=1))
    assert [trace.what for trace in find_traces(place, "leaving")] == ["label_priority (1 of their recordings)"]
