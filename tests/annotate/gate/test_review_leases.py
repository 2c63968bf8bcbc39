"""Leases: who is given what to review, and for how long it is theirs."""

from __future__ import annotations

import threading

import pytest

from annotate.gate.review import decide, next_to_review, release
from kinesphere.errors import Conflict, NotFound
from storage.catalog import Decision, Reviews
from storage.recordings.recording import State
from storage.workspace import Workspace
from tests.support.judged_recordings import TASK, clock_of, given_to, judged, later, on_both, state_of


@on_both
def test_each_reviewer_has_the_oldest_that_nobody_else_looks_at_and_never_their_own(place: Workspace) -> None:
    first, second, third = (judged(place, name) for name in ("c1", "c2", "c1"))
    assert [given_to(place, name) for name in ("r1", "r2", "c1")] == [first, second, None]
    assert given_to(place, "r1") == first, "asked again, the same"
    assert release(place, "r1") == first and release(place, "r1") is None
    assert given_to(place, "c2") == first
    assert given_to(place, "r1") == third
    assert given_to(place, "r3") is None
    waiting = Reviews(place.catalog).queue()
    assert [(row.recording.recording, row.leased_by) for row in waiting] == [
        (first, "c2"), (second, "r2"), (third, "r1")
    ]  # fmt: skip


@on_both
def test_the_queue_can_be_held_to_a_task_and_a_language(place: Workspace) -> None:
    pour = TASK.model_copy(update={"name": "pour", "language": "pt-BR"})
    first, second = judged(place), judged(place, task=pour)
    assert given_to(place, "r1", language="pt") == second
    assert given_to(place, "r1", language="en") == first, "what was held is given back for it"
    assert given_to(place, "r2", task="pour") == second
    assert given_to(place, "r3", language="ptx") is None
    assert [row.recording.recording for row in Reviews(place.catalog).queue(task="pour")] == [second]
    with pytest.raises(NotFound, match="no task named 'purr' \\(there is: move, pour\\)"):
        next_to_review(place, "r1", task="purr")


@on_both
def test_a_lease_ends_by_itself_and_who_comes_back_loses_nothing_unless_it_was_taken(place: Workspace) -> None:
    recording = judged(place)
    assert given_to(place, "r1") == recording
    assert later(place, 29).lease_next("r2") is None
    renewed = later(place, 20).renew("r1")
    assert renewed is not None and later(place, 40).lease_next("r2") is None
    assert later(place, 51).lease_next("r1") is not None, "not taken meanwhile: theirs again"
    taken = later(place, 90).lease_next("r2")
    assert taken is not None and taken.recording == recording
    with pytest.raises(Conflict, match="is with r2 until"):
        Reviews(place.catalog, clock_of(91)).decide(recording, "accept", reviewer="r1", feedback="")
    assert later(place, 91).renew("r1") is None
    late = Reviews(place.catalog, clock_of(130))
    late.decide(recording, "accept", reviewer="r2", feedback="")  # nobody has taken it meanwhile
    assert state_of(place, recording) is State.ACCEPTED


def test_passing_over_one_gives_the_next(place: Workspace) -> None:
    first, second = judged(place), judged(place)
    assert given_to(place, "r1") == first
    assert given_to(place, "r1", past=[first]) == second
    assert given_to(place, "r2") == first


@on_both
def test_of_two_who_decide_at_once_one_is_told_and_the_state_is_whole(place: Workspace) -> None:
    recording = judged(place)
    barrier, results = threading.Barrier(6), list[str]()
    decisions: list[Decision] = ["accept", "return", "reject"] * 2

    def run(number: int) -> None:
        barrier.wait()
        try:
            decide(place, recording, decisions[number], reviewer=f"r{number}", words="because")
            results.append("decided")
        except Conflict as error:
            assert "cannot become" in str(error)
            results.append("told")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["decided"] + ["told"] * 5
    (review,) = place.catalog.reviews(recording)
    becomes = {"accept": State.ACCEPTED, "return": State.RETURNED, "reject": State.REJECTED}
    assert becomes[review.decision] is state_of(place, recording)
    assert len(place.catalog.events(recording)) == 4


@on_both
def test_of_many_who_ask_at_once_each_has_another(place: Workspace) -> None:
    recordings = {judged(place) for _ in range(4)}
    barrier, found = threading.Barrier(6), list[str | None]()

    def run(number: int) -> None:
        barrier.wait()
        found.append(given_to(place, f"r{number}"))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name or "" for name in found) == ["", "", *sorted(recordings)]


@on_both
def test_who_asks_from_several_places_at_once_has_one(place: Workspace) -> None:
    oldest, *_ = (judged(place) for _ in range(3))
    barrier, found = threading.Barrier(4), list[str | None]()

    def run() -> None:
        barrier.wait()
        found.append(given_to(place, "r1"))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [oldest] * 4


@on_both
def test_what_was_taken_back_while_it_was_reviewed_is_not_decided(place: Workspace) -> None:
    recording = judged(place)
    assert given_to(place, "r1") == recording
    place.catalog.withdraw(recording, who="c1", why="changed my mind")
    with pytest.raises(Conflict, match="was taken back by its contributor; nothing is decided"):
        decide(place, recording, "accept", reviewer="r1")
    assert place.catalog.reviews(recording) == [] and state_of(place, recording) is State.WITHDRAWN
    assert given_to(place, "r1") is None and Reviews(place.catalog).queue() == []
