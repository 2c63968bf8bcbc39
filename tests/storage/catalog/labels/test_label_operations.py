"""Operations on annotations: a model of what must hold, on SQLite and on PostgreSQL, and what may go wrong."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from annotate.labels.label_comparison import agreed_segments
from kinesphere.errors import Conflict, InvalidInput, NotFound, Withdrawn
from storage.catalog import (
    Annotations,
    Annotator,
    Change,
    LabelConflict,
    LabelOperations,
    Operation,
)
from storage.recordings.segment import Segment
from storage.workspace import Workspace, create_workspace
from tests.support.annotated_recordings import content, new, operation, waiting


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder: Path = tmp_path_factory.mktemp("labels") / "place"
    url = "sqlite:///catalog.sqlite" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = create_workspace(folder, catalog=url)
    yield made
    made.catalog.close()


@pytest.fixture
def operations(place: Workspace) -> LabelOperations:
    return LabelOperations(place.catalog)


def begun(place: Workspace, who: str = "ben") -> str:
    """A new annotation."""
    return Annotations(place.catalog, agreed_segments).begin(waiting(place), Annotator(who))[0].annotation


class Tabs(RuleBasedStateMachine):
    """Two tabs edit one annotation; each knows what it has seen, sends again what it is not sure of, and undoes."""

    operations: LabelOperations
    place: Workspace

    @initialize()
    def begin(self) -> None:
        self.annotation = begun(self.place)
        self.truth: dict[str, tuple[int, Segment]] = {}
        self.past: list[dict[str, Segment]] = [{}]
        self.seen: list[dict[str, int]] = [{}, {}]
        self.sent: list[tuple[Operation, Any]] = []

    @rule(tab=st.sampled_from([0, 1]), data=st.data())
    def edit(self, tab: int, data: st.DataObject) -> None:
        known = self.seen[tab]
        names = data.draw(st.lists(st.sampled_from([*known, "n1", "n2"]), min_size=1, max_size=4, unique=True))
        changes = []
        for name in names:
            start = data.draw(st.integers(0, 40))
            made = content(start, start + 5, data.draw(st.sampled_from(["reach", "grasp"])))
            if name in known:
                after = data.draw(st.sampled_from([None, made]))
                changes.append(Change(name, known[name], after))
            else:
                changes.append(Change(secrets.token_hex(8), None, made))
        self.send(operation(*changes), tab)

    @rule(tab=st.sampled_from([0, 1]), data=st.data())
    def make_again_what_was_deleted(self, tab: int, data: st.DataObject) -> None:
        gone = sorted({name for past in self.past for name in past} - set(self.truth))
        if gone:
            self.send(operation(Change(data.draw(st.sampled_from(gone)), None, content(1, 2))), tab)

    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        if self.sent:
            made, answer = data.draw(st.sampled_from(self.sent))
            before = self.operations.history(self.annotation)
            assert self.operations.apply(self.annotation, [made], who="ben") == answer
            assert self.operations.history(self.annotation) == before

    @rule(tab=st.sampled_from([0, 1]))
    def look(self, tab: int) -> None:
        self.seen[tab] = {name: version for name, (version, _) in self.truth.items()}

    @rule(tab=st.sampled_from([0, 1]), data=st.data())
    def restore(self, tab: int, data: st.DataObject) -> None:
        revision = data.draw(st.integers(0, len(self.past) - 1))
        self.operations.restore(self.annotation, revision, operation=secrets.token_hex(16), who="ben")
        wanted, number = self.past[revision], len(self.past)
        self.truth = {
            name: (self.truth[name][0] if name in self.truth and self.truth[name][1] == made else number, made)
            for name, made in wanted.items()
        }
        self.past.append(dict(wanted))

    @rule(tab=st.sampled_from([0, 1]))
    def undo_the_last_operation_by_another(self, tab: int) -> None:
        if len(self.past) < 2 or not self.sent:
            return
        before, now = self.past[-2], self.past[-1]
        changed = [name for name in {*before, *now} if before.get(name) != now.get(name)]
        if changed:
            self.look(tab)
            self.send(operation(*(Change(name, self.seen[tab].get(name), before.get(name)) for name in changed)), tab)
            assert self.past[-1] == before

    def send(self, made: Operation, tab: int) -> None:
        clashes = {
            change.segment
            for change in made.changes
            if (self.truth[change.segment][0] if change.segment in self.truth else None) != change.before
        }
        if clashes:
            with pytest.raises(LabelConflict) as caught:
                self.operations.apply(self.annotation, [made], who="ben")
            assert set(caught.value.conflicts) == clashes
            for name, current in caught.value.conflicts.items():
                found = (current.version, current.content) if current is not None else None
                assert found == self.truth.get(name)
            return
        answer = self.operations.apply(self.annotation, [made], who="ben")
        number = len(self.past)
        assert answer.revision == number
        for change in made.changes:
            if change.after is None:
                self.truth.pop(change.segment, None)
                self.seen[tab].pop(change.segment, None)
            else:
                self.truth[change.segment] = (number, change.after)
                self.seen[tab][change.segment] = number
        assert {segment.segment: segment.version for segment in answer.segments} == {
            change.segment: number for change in made.changes if change.after is not None
        }
        self.past.append({name: made for name, (_, made) in self.truth.items()})
        self.sent.append((made, answer))

    @invariant()
    def what_is_stored_is_what_the_model_says(self) -> None:
        stored = {s.segment: (s.version, s.content) for s in self.operations.segments(self.annotation)}
        assert stored == self.truth
        assert [found.revision for found in self.operations.history(self.annotation)][::-1] == [
            *range(1, len(self.past))
        ]

    def teardown(self) -> None:
        for revision, past in enumerate(getattr(self, "past", [])):
            found = self.operations.segments(self.annotation, revision)
            assert {segment.segment: segment.content for segment in found} == past


def test_two_tabs_that_replay_conflict_undo_and_restore_leave_what_the_model_says(place: Workspace) -> None:
    class Here(Tabs):
        operations = LabelOperations(place.catalog)

    Here.place = place
    run_state_machine_as_test(Here, settings=settings(max_examples=12, stateful_step_count=15))


def test_operations_after_a_conflict_are_not_applied_and_those_before_it_are(
    place: Workspace, operations: LabelOperations
) -> None:
    annotation = begun(place)
    first, third = new(content(0, 5)), new(content(20, 25))
    name = first.changes[0].segment
    stale = operation(Change(name, 7, content(1, 6)), Change(secrets.token_hex(8), None, content(8, 9)))
    with pytest.raises(LabelConflict, match="was changed meanwhile") as caught:
        operations.apply(annotation, [first, stale, third], who="ben")
    assert (caught.value.operation, caught.value.applied) == (stale.operation, (first.operation,))
    assert caught.value.revision == 1
    (current,) = caught.value.conflicts.values()
    assert current is not None and (current.version, current.content) == (1, content(0, 5))
    assert [segment.segment for segment in operations.segments(annotation)] == [name]
    mended = operation(Change(name, 1, content(1, 6)))
    assert operations.apply(annotation, [first, mended, third], who="ben").revision == 3
    assert [segment.version for segment in operations.segments(annotation)] == [2, 3]


def test_an_id_is_for_one_operation_and_one_segment(place: Workspace, operations: LabelOperations) -> None:
    annotation, other = begun(place), begun(place)
    made = new(content())
    operations.apply(annotation, [made], who="ben")
    with pytest.raises(InvalidInput, match="was sent before with other changes"):
        changed = operation(Change(made.changes[0].segment, 1, None), name=made.operation)
        operations.apply(annotation, [changed], who="ben")
    with pytest.raises(InvalidInput, match="taken by a segment of another annotation"):
        operations.apply(other, [operation(Change(made.changes[0].segment, None, content()))], who="ben")
    assert operations.apply(other, [new(content())], who="ben").revision == 1


def test_ten_thousand_segments_are_made_changed_deleted_and_brought_back(
    place: Workspace, operations: LabelOperations, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 10_000 if place.catalog.engine.dialect.name == "sqlite" else 1000
    annotation = begun(place)
    made = new(*(content(number % 50, number % 50 + 1) for number in range(count)))
    assert len(operations.apply(annotation, [made], who="ben").segments) == count
    moved = operation(*(Change(change.segment, 1, content(5, 9, "grasp")) for change in made.changes))
    operations.apply(annotation, [moved], who="ben")
    assert {segment.content.label for segment in operations.segments(annotation)} == {"grasp"}
    gone = operation(*(Change(change.segment, 2, None) for change in made.changes))
    assert len(operations.apply(annotation, [gone], who="ben").deleted) == count
    assert operations.segments(annotation) == []
    for _ in range(2):
        assert operations.restore(annotation, 1, operation="a" * 32, who="ben").revision == 4
    assert {segment.version for segment in operations.segments(annotation)} == {4}
    assert len(operations.segments(annotation)) == count
    found = operations.changes(annotation, after=0, segments=2 * count)
    assert [made.revision for made in found] == [1, 2], "as many as hold no more changes"
    monkeypatch.setattr("storage.catalog.labels.label_log.MOST_SEGMENTS", count)
    with pytest.raises(InvalidInput, match=f"at most {count} segments"):
        operations.apply(annotation, [new(content())], who="ben")
    assert len(operations.segments(annotation)) == count


def test_fifty_people_at_once_lose_nothing(place: Workspace, operations: LabelOperations) -> None:
    shared, own = begun(place), [begun(place) for _ in range(5)]
    barrier = threading.Barrier(50)

    def edit(number: int) -> list[tuple[str, str]]:
        barrier.wait()
        made = []
        for annotation in (shared, own[number % 5]):
            wanted = new(content())
            operations.apply(annotation, [wanted], who="ben")
            made.append((annotation, wanted.changes[0].segment))
        return made

    with ThreadPoolExecutor(50) as threads:
        made = [pair for pairs in threads.map(edit, range(50)) for pair in pairs]
    for annotation in (shared, *own):
        stored = {segment.segment for segment in operations.segments(annotation)}
        assert stored == {name for place_of, name in made if place_of == annotation}
        revisions = [found.revision for found in operations.history(annotation)]
        assert revisions == list(range(len(stored), 0, -1))
        assert Annotations(place.catalog, agreed_segments).get(annotation).segments == len(stored)


def test_of_two_who_change_the_same_version_at_once_one_is_told(place: Workspace, operations: LabelOperations) -> None:
    annotation = begun(place)
    made = new(content())
    operations.apply(annotation, [made], who="ben")
    barrier = threading.Barrier(8)

    def edit(number: int) -> str:
        barrier.wait()
        try:
            change = Change(made.changes[0].segment, 1, content(number, number + 3))
            operations.apply(annotation, [operation(change)], who="ben")
        except LabelConflict:
            return "told"
        return "won"

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(edit, range(8))) == ["told"] * 7 + ["won"]


def test_what_is_taken_back_done_or_unknown_is_not_changed(place: Workspace, operations: LabelOperations) -> None:
    annotations = Annotations(place.catalog, agreed_segments)
    annotation = begun(place)
    made = new(content())
    first = operations.apply(annotation, [made], who="ben")
    annotations.done(annotation)
    with pytest.raises(Conflict, match="is done; reopen it"):
        operations.apply(annotation, [new(content())], who="ben")
    with pytest.raises(Conflict, match="is done; reopen it"):
        operations.restore(annotation, 0, operation="b" * 32, who="ben")
    assert operations.apply(annotation, [made], who="ben") == first, "a replay is answered all the same"
    annotations.reopen(annotation)
    for wrong in (-1, 5):
        with pytest.raises(InvalidInput, match="has the revisions 0 to 1"):
            operations.restore(annotation, wrong, operation="b" * 32, who="ben")
    place.catalog.withdraw(annotations.get(annotation).recording, who="anna", why="my face")
    for attempt in (
        lambda: operations.apply(annotation, [new(content())], who="ben"),
        lambda: operations.restore(annotation, 0, operation="b" * 32, who="ben"),
        lambda: annotations.get(annotation),
        lambda: annotations.renew(annotation),
        lambda: annotations.done(annotation),
    ):
        with pytest.raises(Withdrawn, match="was taken back by its contributor"):
            attempt()
    with pytest.raises(NotFound, match="no annotation"):
        operations.apply("0" * 16, [new(content())], who="ben")
