"""Whatever reviewers do, the queue stays right: a model of it is compared after every action."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from kinesphere.errors import Conflict
from storage.catalog import Catalog, Decision, GoldRecordings, ReviewLeases, Reviews
from storage.catalog.reviews.opinions import median_decision
from storage.catalog.reviews.review_requests import open_requests
from storage.recordings.recording import State
from storage.workspace import open_workspace
from tests.support.judged_recordings import judged, rules

REVIEWERS = ("c1", "c2", "r1", "r2", "r3")
ACTIONS = st.one_of(
    st.tuples(st.just("next"), st.sampled_from(REVIEWERS)),
    st.tuples(st.just("decide"), st.sampled_from(REVIEWERS), st.sampled_from(["accept", "return", "reject"])),
    st.tuples(st.just("barge in"), st.sampled_from(REVIEWERS), st.integers(0, 4)),
    st.tuples(st.just("release"), st.sampled_from(REVIEWERS)),
    st.tuples(st.just("withdraw"), st.integers(0, 4)),
    st.tuples(st.just("gold"), st.integers(0, 4)),
    st.tuples(st.just("wait"), st.integers(1, 45)),
)


@settings(max_examples=20)
@given(opinions=st.sampled_from([1, 2]), actions=st.lists(ACTIONS, min_size=5, max_size=40))
def test_whatever_reviewers_do_the_queue_stays_right(
    tmp_path_factory: pytest.TempPathFactory, empty_workspace: Path, opinions: int, actions: list[tuple[Any, ...]]
) -> None:
    """Model-based: never one's own, never two leases, never heard twice, and states that follow from the opinions."""
    folder = tmp_path_factory.mktemp("model") / "place"
    shutil.copytree(empty_workspace, folder)
    place = open_workspace(folder)
    event.listen(place.catalog.engine, "connect", lambda made, _: made.execute("PRAGMA synchronous=OFF"))
    place.catalog.engine.dispose()
    task = rules(opinions=opinions, spot_check_share=1, gold_share=0.5)
    states = [State.FLAGGED, State.ACCEPTED, State.FLAGGED, State.ACCEPTED, State.FLAGGED]
    owners = ["c1", "c2", "c3", "c3", "c1"]
    recordings = [judged(place, name, state=state, task=task) for name, state in zip(owners, states, strict=True)]
    owner, began = dict(zip(recordings, owners, strict=True)), dict(zip(recordings, states, strict=True))
    now = [datetime.now(UTC)]
    reviews = Reviews(place.catalog, clock=lambda: now[0])
    leases = ReviewLeases(place.catalog, clock=lambda: now[0])
    held: dict[str, tuple[str, datetime]] = {}
    withdrawn: set[str] = set()

    def others_hold(recording: str, reviewer: str) -> bool:
        return any(name == recording and until > now[0] for other, (name, until) in held.items() if other != reviewer)

    for action in actions:
        match action:
            case ("wait", minutes):
                now[0] += timedelta(minutes=minutes)
            case ("next", reviewer):
                lease = leases.lease_next(reviewer)
                held.pop(reviewer, None)
                if lease is not None:
                    assert owner[lease.recording] != reviewer and lease.recording not in withdrawn
                    assert not others_hold(lease.recording, reviewer)
                    held[reviewer] = lease.recording, lease.until
            case ("decide", reviewer, decision) if reviewer in held:
                recording, _ = held.pop(reviewer)
                attempt(reviews, recording, reviewer, decision, withdrawn, others_hold(recording, reviewer))
            case ("barge in", reviewer, number):
                recording = recordings[number]
                is_own = owner[recording] == reviewer
                attempt(reviews, recording, reviewer, "return", withdrawn, others_hold(recording, reviewer) or is_own)
                if held.get(reviewer, ("",))[0] == recording:
                    held.pop(reviewer)
            case ("release", reviewer):
                leases.release(reviewer)
                held.pop(reviewer, None)
            case ("withdraw", number):
                place.catalog.withdraw(recordings[number], who=owner[recordings[number]], why="")
                withdrawn.add(recordings[number])
            case ("gold", number):
                try:
                    GoldRecordings(place.catalog).mark(recordings[number], who="operator")
                except Conflict:
                    assert recordings[number] in withdrawn or not is_over(place.catalog, recordings[number])
        for recording in recordings:
            check_state(place.catalog, recording, began[recording], opinions, recording in withdrawn)
    waiting = {row.recording.recording for row in reviews.queue()}
    assert waiting == {name for name in recordings if name not in withdrawn and not is_over(place.catalog, name)}
    place.catalog.close()


def attempt(
    reviews: Reviews, recording: str, reviewer: str, decision: Decision, withdrawn: set[str], is_forbidden: bool
) -> None:
    before = len(reviews.opinions())
    try:
        reviews.decide(recording, decision, reviewer=reviewer, feedback="as I see it")
    except Conflict:
        assert len(reviews.opinions()) == before
    else:
        assert recording not in withdrawn and not is_forbidden


def is_over(catalog: Catalog, recording: str) -> bool:
    with catalog.reading() as session:
        return not open_requests(session, recording)


def check_state(catalog: Catalog, recording: str, began: State, opinions: int, is_withdrawn: bool) -> None:
    """Hold a recording's state to what was said of it, worked out anew."""
    given = catalog.reviews(recording)
    assert len({review.reviewer for review in given}) == len(given), "heard twice"
    said = [review.decision for review in given]
    expected = began
    if is_withdrawn:
        expected = State.WITHDRAWN
    elif said and not (began is State.ACCEPTED and said == ["accept"]):
        is_decided = len(said) == 3 or (len(said) == opinions and len(set(said)) == 1)
        becomes = {"accept": State.ACCEPTED, "return": State.RETURNED, "reject": State.REJECTED}
        expected = (
            becomes[sorted(said)[len(said) // 2] if len(said) < 3 else median_decision(said)]
            if is_decided
            else State.FLAGGED
        )
    assert catalog.recording(recording).state is expected
    events = catalog.events(recording)
    assert events[-1].to_state is expected
    assert len(events) >= 3 + len(given)
