"""Review: what follows from opinions."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.gate.feedback import BEYOND_CHECKS, feedback_on
from annotate.gate.gate_measures import measure_gate
from annotate.gate.review import decide, next_to_review, release
from kinesphere.errors import Conflict, InvalidInput, NotFound
from storage.catalog import Decision, GoldRecordings, Reviews
from storage.catalog.reviews.opinions import median_decision
from storage.catalog.reviews.review_requests import is_spot_checked
from storage.recordings.recording import State
from storage.workspace import Workspace
from tests.support.judged_recordings import SECOND, given_to, judged, on_both, rules, state_of


def test_two_opinions_that_agree_decide(place: Workspace) -> None:
    recording = judged(place, task=rules(opinions=2))
    assert Reviews(place.catalog).queue()[0].reasons == ("doubt", "second opinion")
    decide(place, recording, "return", reviewer="r1", words="too dark")
    assert state_of(place, recording) is State.FLAGGED
    assert feedback_on(place.catalog, recording).advice == (), "nothing is told before it is decided"
    assert (
        "return" not in place.catalog.events(recording)[-1].why
        and "dark" not in place.catalog.events(recording)[-1].why
    )
    assert given_to(place, "r1") is None
    with pytest.raises(Conflict, match="r1 has given an opinion"):
        decide(place, recording, "return", reviewer="r1", words="still too dark")
    assert Reviews(place.catalog).queue()[0].opinions == 1
    assert given_to(place, "r2") == recording
    decide(place, recording, "return", reviewer="r2", words="no light")
    assert state_of(place, recording) is State.RETURNED
    assert [one.better for one in feedback_on(place.catalog, recording).advice] == ["too dark", "no light"]


@pytest.mark.parametrize(
    ("third", "becomes"), [("accept", State.ACCEPTED), ("return", State.RETURNED), ("reject", State.REJECTED)]
)
def test_two_who_disagree_have_a_third_and_the_middle_counts(place: Workspace, third: Decision, becomes: State) -> None:
    recording = judged(place, task=rules(opinions=2))
    decide(place, recording, "accept", reviewer="r1")
    decide(place, recording, "reject", reviewer="r2", words="nothing to see")
    assert state_of(place, recording) is State.FLAGGED
    assert Reviews(place.catalog).queue()[0].reasons == ("tie",)
    assert given_to(place, "r1") is None and given_to(place, "r2") is None
    assert given_to(place, "r3") == recording
    decide(place, recording, third, reviewer="r3", words="as I see it")
    assert state_of(place, recording) is becomes
    told = [one.better for one in feedback_on(place.catalog, recording).advice]
    assert told == (["nothing to see"] if third == "reject" else []) + ["as I see it"]


def test_a_share_of_what_passes_is_looked_at_always_the_same(place: Workspace) -> None:
    task = rules(spot_check_share=0.5)
    accepted = [judged(place, state=State.ACCEPTED, task=task) for _ in range(20)]
    chosen = [row.recording.recording for row in Reviews(place.catalog).queue()]
    assert 3 < len(chosen) < 17
    assert chosen == [name for name in accepted if is_spot_checked(name, 0.5)]
    assert {name for name in accepted if is_spot_checked(name, 0.3)} <= set(chosen)


def test_who_agrees_with_the_gate_leaves_it_accepted_and_who_does_not_takes_it_out(place: Workspace) -> None:
    task = rules(spot_check_share=1)
    good, bad = (judged(place, state=State.ACCEPTED, task=task) for _ in range(2))
    decide(place, good, "accept", reviewer="r1")
    assert state_of(place, good) is State.ACCEPTED
    assert place.catalog.events(good)[-1].who == "r1"
    decide(place, bad, "return", reviewer="r1", named=["task"])
    assert state_of(place, bad) is State.RETURNED
    assert [event.to_state for event in place.catalog.events(bad)][-2:] == [State.FLAGGED, State.RETURNED]
    assert place.catalog.publishable()["recording"].to_pylist() == [good]
    assert feedback_on(place.catalog, bad).advice[0].better == BEYOND_CHECKS["task"]
    assert Reviews(place.catalog).queue() == []


def test_where_two_are_asked_one_reviewer_alone_does_not_overrule_the_gate(place: Workspace) -> None:
    recording = judged(place, state=State.ACCEPTED, task=rules(spot_check_share=1, opinions=2))
    decide(place, recording, "reject", reviewer="r1", words="wrong task")
    assert state_of(place, recording) is State.FLAGGED, "not published while it is doubted"
    decide(place, recording, "accept", reviewer="r2")
    decide(place, recording, "accept", reviewer="r3")
    assert state_of(place, recording) is State.ACCEPTED
    assert [review.reason for review in place.catalog.reviews(recording)] == ["spot check", "second opinion", "tie"]


def test_what_is_doubted_again_begins_a_round_of_its_own(place: Workspace) -> None:
    recording = judged(place)
    decide(place, recording, "accept", reviewer="r1")
    from storage.catalog.state_machine import move

    with place.catalog.writing() as session:
        move(session, recording, State.FLAGGED, who="kinesphere", why="it repeats another one")
    assert given_to(place, "r1") == recording
    decide(place, recording, "reject", reviewer="r1", words="a copy")
    assert state_of(place, recording) is State.REJECTED
    assert [review.round for review in place.catalog.reviews(recording)] == [1, 2]


@on_both
def test_a_known_answer_measures_the_reviewer_and_changes_nothing(place: Workspace) -> None:
    task = rules(gold_share=1)
    known = judged(place, task=task)
    decide(place, known, "return", reviewer="r1", words="too dark")
    reviews, golds = Reviews(place.catalog), GoldRecordings(place.catalog)
    assert given_to(place, "r2") is None
    golds.mark(known, who="operator")
    before = place.catalog.events(known), place.catalog.reviews(known), feedback_on(place.catalog, known)
    assert given_to(place, "r1") is None, "they have seen it"
    assert given_to(place, "c1") is None and given_to(place, "operator") is None
    shown = next_to_review(place, "r2")
    assert shown is not None and shown.recording == known
    waiting = judged(place, task=task)
    other = next_to_review(place, "r3", past=[known])
    assert other is not None and other.recording == waiting
    differ = {key for key, value in asdict(shown).items() if value != asdict(other)[key]}
    assert differ == {"recording", "video", "open_at", "until"}, "nothing in it tells that it is a test"
    assert "gold" not in str(asdict(shown))
    decide(place, known, "accept", reviewer="r2")
    assert (place.catalog.events(known), place.catalog.reviews(known), feedback_on(place.catalog, known)) == before
    assert [(one.reviewer, one.reason) for one in reviews.opinions()] == [("r1", "doubt"), ("r2", "gold")]
    release(place, "r3")
    assert given_to(place, "r2") == waiting
    measured = measure_gate(place.catalog, "move")
    assert (measured.recordings, measured.flagged) == (2, 2) and measured.gate.precision is not None
    assert [one.right and one.right.value for one in measured.reviewers] == [None, 0]
    assert golds.unmark(known) and not golds.unmark(known)


def test_only_what_reviewers_have_decided_can_be_a_known_answer(place: Workspace) -> None:
    golds = GoldRecordings(place.catalog)
    for recording in (judged(place), judged(place, state=State.ACCEPTED)):
        with pytest.raises(Conflict, match="not decided by reviewers"):
            golds.mark(recording, who="operator")
    with pytest.raises(NotFound):
        golds.mark("20260101-000000-00000000", who="operator")


def test_a_decision_that_cannot_be_used_is_refused_and_changes_nothing(place: Workspace) -> None:
    recording = judged(place)
    with pytest.raises(InvalidInput, match="--feedback TEXT or --template CHECK is needed to return"):
        decide(place, recording, "return", reviewer="r1", words="  ")
    with pytest.raises(NotFound, match="no feedback text named 'brightnes'"):
        decide(place, recording, "return", reviewer="r1", named=["brightnes"])
    for bad in ((SECOND, SECOND), (-1, SECOND), (SECOND, 60 * SECOND)):
        with pytest.raises(InvalidInput, match="is not within recording"):
            decide(place, recording, "return", reviewer="r1", words="here", ranges=[bad])
    with pytest.raises(InvalidInput, match="cannot name a reviewer"):
        decide(place, recording, "accept", reviewer=" " * 3)
    assert state_of(place, recording) is State.FLAGGED and place.catalog.reviews(recording) == []


@given(st.lists(st.sampled_from(["accept", "return", "reject"]), min_size=3, max_size=3))
def test_the_middle_of_three_is_the_majority_where_there_is_one(decisions: list[Decision]) -> None:
    middle = median_decision(decisions)
    most = max(decisions, key=decisions.count)
    assert middle == (most if decisions.count(most) > 1 else "return")
