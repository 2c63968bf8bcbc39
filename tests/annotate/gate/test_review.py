"""Review: who is given what, what follows from opinions, and what the contributor is told."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, event, text

from annotate.checks.built_in_checks import BUILT_IN
from annotate.gate.feedback import (
    BEYOND_CHECKS,
    TEMPLATES,
    advice_from_checks,
    clock_time,
    feedback_on,
    merged,
    texts,
    where,
)
from annotate.gate.gate_measures import measure_gate
from annotate.gate.review import ReviewEvidence, decide, next_to_review, release, take_for_review
from kinesphere.errors import Conflict, InvalidInput, NotFound
from kinesphere.names import new_recording_id
from storage.catalog import (
    Catalog,
    CheckRecord,
    Decision,
    GoldRecordings,
    ReviewLeases,
    Reviews,
    TrajectoryRecord,
    Verdict,
)
from storage.catalog.reviews.opinions import median_decision
from storage.catalog.reviews.review_requests import is_spot_checked, open_requests
from storage.recordings.recording import State
from storage.tasks.task import ReviewRules, Task
from storage.workspace import Workspace, create_workspace, open_workspace
from tests.support.populated_workspaces import describe

NEVER = ReviewRules(spot_check_share=0, gold_share=0)
TASK = Task(name="move", title="Move", instructions="Move.", consent="I agree.", review=NEVER)
SECOND = 1_000_000_000


on_both = pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="module")
def empty_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = create_workspace(tmp_path_factory.mktemp("empty") / "place")
    enrol(made, TASK)
    made.catalog.close()
    return made.folder


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, empty_workspace: Path) -> Iterator[Workspace]:
    """A workspace with the task `move` and three contributors, on SQLite or the database that a test asks for."""
    if getattr(request, "param", "sqlite") == "sqlite":
        shutil.copytree(empty_workspace, tmp_path / "place")
        made = open_workspace(tmp_path / "place")
    else:
        server = request.getfixturevalue("postgres_url")
        name = f"test_{new_recording_id().replace('-', '_')}"
        engine = create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        url = engine.url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
        made = create_workspace(tmp_path / "place", catalog=url)
        enrol(made, TASK)
    yield made
    made.catalog.close()


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


def test_evidence_shows_what_is_doubted_where_and_how_to_look_at_it(place: Workspace) -> None:
    recording = judged(place)
    shown = take_for_review(place, recording, "r1")
    assert shown.findings[0].check == "brightness" and shown.findings[0].ranges == ((SECOND, 3 * SECOND),)
    assert shown.video == str(place.folder / "recordings" / recording / "video.mp4")
    assert shown.beyond_checks == ("task", "privacy")
    assert shown.open_at == (f"mpv --start=0.0 {shown.video}",)
    assert not {"contributor", "state", "reason"} & set(ReviewEvidence.__dataclass_fields__)
    with pytest.raises(Conflict, match="is not for r2 now"):
        take_for_review(place, recording, "r2")
    other = judged(place)
    assert take_for_review(place, other, "r1").recording == other
    assert given_to(place, "r2") == recording, "what was held before is given back"


def test_the_contributor_reads_what_where_and_how_to_do_better_in_the_tasks_language(place: Workspace) -> None:
    task = TASK.model_copy(update={"language": "pt", "feedback": {"brightness": "Acenda uma luz."}})
    recording = judged(place, task=task)
    decide(place, recording, "return", reviewer="r1", named=["brightness"], words="Obrigado!")
    told = feedback_on(place.catalog, recording)
    (advice,) = told.advice
    assert advice.what == "mean brightness is 32 of 255"
    assert advice.better == "Acenda uma luz. Obrigado!"
    assert advice.ranges == ((SECOND, 3 * SECOND),) and where(advice.ranges) == "0:01-0:03"
    assert told.record_again == f"kinesphere record --task move --contributor c1 --replaces {recording}"

    take = judged(place, state=State.ACCEPTED, task=task, replaces=recording)
    told = feedback_on(place.catalog, recording)
    assert told.replaced_by == (take,) and told.record_again is None
    assert feedback_on(place.catalog, take).replaces == recording
    place.catalog.withdraw(take, who="c1", why="")
    assert feedback_on(place.catalog, recording).replaced_by == ()


def test_what_the_gate_rejects_by_itself_is_explained_too(place: Workspace) -> None:
    (advice,) = feedback_on(place.catalog, judged(place, state=State.REJECTED)).advice
    assert advice.better == TEMPLATES["brightness"] and advice.ranges == ((SECOND, 3 * SECOND),)


def test_one_fault_is_told_once_with_one_text_of_advice() -> None:
    wanted, advice = " (should be at least 0.8)", "stay where the camera sees you"  # as an earlier release put it
    checks = [
        CheckRecord("person_visible_share", 0, 0.8, 0.05, "fail", f"nobody{wanted}: {advice}", ((0, 3),)),
        CheckRecord(
            "person_longest_absence_seconds", 9, 5, 8, "fail", "not for 9 s (should be at most 5): x", ((2, 9),)
        ),
        CheckRecord("plugins.table", 0, 1, 1, "fail", "no table [plugin t] (should be at least 1): clear the table"),
    ]
    absence, table = advice_from_checks(checks, texts(TASK))
    assert absence.what == f"nobody{wanted}; not for 9 s (should be at most 5)"
    assert absence.better == "Stay where the camera sees you until you are done." and absence.ranges == ((0, 9),)
    assert (table.what, table.better) == ("no table [plugin t] (should be at least 1)", "Clear the table.")


def test_a_reviewer_who_names_two_checks_of_one_fault_says_it_once(place: Workspace) -> None:
    recording = judged(place)
    made = decide(place, recording, "return", reviewer="r1", named=["blur", "sharpness"], words="Thanks!")
    assert made.feedback == f"{TEMPLATES['blur']} Thanks!"


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


def test_every_check_has_a_text_that_helps() -> None:
    assert len(BUILT_IN) > 10 and all(check.advice for check in BUILT_IN.values())
    assert TEMPLATES["blur"] == "Wipe the lens, move back a little, or turn on more light."


def test_times_are_written_as_people_read_them() -> None:
    assert [clock_time(value) for value in (0, 12_500_000_000, 59_960_000_000, 671 * SECOND)] == [
        "0:00", "0:12.5", "1:00", "11:11"
    ]  # fmt: skip
    assert (
        where([(number * SECOND, (number + 1) * SECOND) for number in (1, 3, 5)], most=2)
        == "0:01-0:02, 0:03-0:04 and 1 more"
    )
    assert merged([(5, 9), (1, 3), (3, 4), (6, 7)]) == ((1, 4), (5, 9))


@given(st.lists(st.sampled_from(["accept", "return", "reject"]), min_size=3, max_size=3))
def test_the_middle_of_three_is_the_majority_where_there_is_one(decisions: list[Decision]) -> None:
    middle = median_decision(decisions)
    most = max(decisions, key=decisions.count)
    assert middle == (most if decisions.count(most) > 1 else "return")


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
