"""The gate's measures and proposals, on decisions whose numbers are known."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, insert

from annotate.checks.limits import Limit
from annotate.gate.gate_measures import Estimate, Judged, _recall, effective, measure_gate, wilson
from annotate.gate.proposed_thresholds import calibrate, short_between
from kinesphere.errors import Conflict, InvalidInput, NotFound
from storage.catalog import Decision, GoldRecordings
from storage.catalog.tables import CheckTable, GoldTable, RecordingTable, ReviewTable
from storage.recordings.recording import State
from storage.tasks.criteria import Criteria, Thresholds
from storage.tasks.task import ReviewRules, Task
from storage.workspace import Workspace

SHARE = 0.25
TASK = Task(
    name="move",
    title="Move",
    instructions="Move.",
    consent="I agree.",
    criteria=Criteria.of({"brightness": Thresholds(doubt=40, fail=10)}),
    review=ReviewRules(spot_check_share=SHARE, gold_share=0),
)
BEGUN = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def place(workspace: Workspace) -> Iterator[Workspace]:
    event.listen(workspace.catalog.engine, "connect", lambda made, _: made.execute("PRAGMA synchronous=OFF"))
    workspace.catalog.engine.dispose()
    workspace.catalog.add_task(TASK)
    workspace.catalog.add_contributor("c1")
    yield workspace


class History:
    """Recordings and decisions, entered into the catalog many at a time as if it had all happened."""

    def __init__(self, place: Workspace) -> None:
        self.place = place
        self.tables: dict[type, list[dict[str, object]]] = {RecordingTable: [], CheckTable: [], ReviewTable: []}

    def add(
        self,
        count: int,
        decision: Decision | None,
        *,
        brightness: float = 120,
        blur: float = 0.1,
        named: tuple[str, ...] = (),
        reason: str = "",
        seconds: float = 60,
    ) -> None:
        """Enter recordings with these values, and what one reviewer decided on each; None if none was asked."""
        verdicts = {
            "brightness": "fail" if brightness < 10 else "doubt" if brightness < 40 else "pass",
            "blur": "doubt" if blur > 0.5 else "pass",
        }
        for _ in range(count):
            number = len(self.tables[RecordingTable])
            name = f"20261101-{number:06d}-{number:08x}"
            self.tables[RecordingTable].append(
                {
                    "recording": name, "task": "move", "task_version": 1, "contributor": "c1",
                    "state": State.SUBMITTED, "created_at": BEGUN, "duration_ns": 1, "frames": 1, "width": 1,
                    "height": 1, "frame_rate": 30.0, "video_sha256": "", "source_sha256": "",
                }
            )  # fmt: skip
            for check, value, doubt, fail in (("brightness", brightness, 40.0, 10.0), ("blur", blur, 0.5, 1.0)):
                self.tables[CheckTable].append(
                    {
                        "recording": name, "check": check, "value": value, "doubt": doubt, "fail": fail,
                        "verdict": verdicts[check], "message": "", "ranges": (),
                    }
                )  # fmt: skip
            if decision is not None:
                began = "spot check" if set(verdicts.values()) == {"pass"} else "doubt"
                self.tables[ReviewTable].append(
                    {
                        "recording": name, "reviewer": "r1", "decision": decision, "feedback": "", "reason":
                        reason or began, "round": 1, "named": list(named), "ranges": (), "asked_at": BEGUN,
                        "begun_at": BEGUN + timedelta(seconds=seconds - 10), "at": BEGUN + timedelta(seconds=seconds),
                    }
                )  # fmt: skip

    def enter(self) -> None:
        with self.place.catalog.writing() as session:
            for table, rows in self.tables.items():
                if rows:
                    session.execute(insert(table), rows)


def test_precision_recall_and_shares_come_out_as_worked_out_by_hand(place: Workspace) -> None:
    history = History(place)
    history.add(30, "return", brightness=20)
    history.add(10, "accept", brightness=20)
    history.add(10, "reject", blur=0.8)
    history.add(10, "accept", blur=0.8)
    history.add(5, "return", brightness=20, blur=0.8)
    history.add(5, None, brightness=5)  # rejected by the gate alone
    history.add(95, "accept")
    history.add(5, "return")
    history.add(300, None)  # passed, and in no spot check
    history.enter()
    measured = measure_gate(place.catalog)
    assert (measured.recordings, measured.passed, measured.flagged, measured.rejected) == (470, 400, 65, 5)
    assert measured.spot_checked == 100 and measured.passed_unlike == 0
    assert measured.bad_passed is not None and measured.bad_passed.value == pytest.approx(0.05)
    # 45 bad among the flagged, and 5 of 100 checked stand for 20 of the 400 that passed: 65 bad in all
    assert measured.gate.precision is not None and measured.gate.precision.value == pytest.approx(45 / 65)
    assert measured.gate.recall is not None and measured.gate.recall.value == pytest.approx(45 / 65)
    brightness, blur = {one.check: one for one in measured.checks}["brightness"], measured.checks[0]
    assert blur.check == "blur" and blur.precision is not None and blur.recall is not None
    assert brightness.precision is not None and brightness.recall is not None
    assert brightness.precision.value == pytest.approx(35 / 45) and brightness.precision.count == 45
    assert brightness.recall.value == pytest.approx(35 / 65)
    assert blur.precision.value == pytest.approx(15 / 25) and blur.recall.value == pytest.approx(15 / 65)
    assert (brightness.doubted, brightness.failed) == (45, 5)
    assert brightness.share_doubted == pytest.approx(45 / 470)
    for one in (measured.gate, brightness, blur):
        assert one.recall is not None and 0 < one.recall.low < one.recall.value < one.recall.high < 1
    assert brightness.precision.low == pytest.approx(0.6373, abs=1e-4), "Wilson's interval of 35 of 45"


def test_spot_checks_that_are_not_done_make_the_others_count_for_more(place: Workspace) -> None:
    history = History(place)
    history.add(10, "return", brightness=20)
    history.add(10, None, brightness=20)  # flagged, and still waiting
    history.add(9, "accept")
    history.add(1, "return")
    history.add(90, None)
    history.enter()
    recall = measure_gate(place.catalog).gate.recall
    # of the 20 flagged all are taken to be bad as the 10 decided were; of the 100 passed, 10
    assert recall is not None and recall.value == pytest.approx(20 / 30)


def test_without_a_spot_check_nothing_is_said_of_recall(place: Workspace) -> None:
    history = History(place)
    history.add(10, "return", brightness=20)
    history.add(50, None)
    history.enter()
    measured = measure_gate(place.catalog, "move")
    assert measured.gate.recall is None and measured.bad_passed is None and measured.passed_unlike == 50
    assert measured.gate.precision is not None and measured.gate.precision.value == 1
    with pytest.raises(NotFound):
        measure_gate(place.catalog, "other")


def test_an_empty_workspace_is_measured_too(place: Workspace) -> None:
    measured = measure_gate(place.catalog)
    assert (measured.recordings, measured.checks, measured.waiting_seconds) == (0, (), None)


def test_the_interval_of_recall_holds_the_truth_as_often_as_it_says() -> None:
    """Simulated gates with a known recall: the interval from the flagged and the spot checks covers it."""
    lots, trials, covered = random.Random(3), 400, 0
    passed, flagged, bad_passed, bad_flagged, caught = 2000, 200, 0.03, 0.6, 0.7
    truth = caught * flagged * bad_flagged / (flagged * bad_flagged + passed * bad_passed)
    for _ in range(trials):
        bad = sum(lots.random() < bad_flagged for _ in range(flagged))
        found = sum(lots.random() < caught for _ in range(bad))
        seen = [lots.random() < bad_passed for _ in range(passed) if lots.random() < 0.05]
        weight = passed / len(seen)
        decided = [Judged(f"f{n}", "t", {}, "doubt", "return", weight=1.0) for n in range(found)]
        judged = [
            *decided,
            *(Judged(f"o{n}", "t", {}, "doubt", "return", weight=1.0) for n in range(bad - found)),
            *[Judged("p", "t", {}, "pass", "reject", weight=weight)] * sum(seen),
            *[Judged("p", "t", {}, "pass", "accept", weight=weight)] * (len(seen) - sum(seen)),
            *[Judged("q", "t", {}, "pass", None)] * (passed - len(seen)),
        ]
        rate = Estimate(sum(seen) / len(seen), 0, 1, len(seen))
        estimate = _recall(decided, judged, rate, is_whole=False)
        assert estimate is not None
        covered += estimate.low <= truth <= estimate.high
    assert covered / trials >= 0.95


def test_the_wait_and_the_reviewers_are_measured(place: Workspace) -> None:
    history = History(place)
    for seconds in (60, 120, 600):
        history.add(1, "return", brightness=20, seconds=seconds)
    history.add(1, "return", brightness=20, reason="gold", seconds=5000)
    history.add(1, "accept", brightness=20, reason="gold", seconds=5000)
    history.enter()
    for row in place.catalog.recordings()[3:]:
        with place.catalog.writing() as session:
            session.add(GoldTable(recording=row.recording, decision="return", marked_by="operator", marked_at=BEGUN))
    assert len(GoldRecordings(place.catalog).all()) == 2
    measured = measure_gate(place.catalog)
    assert measured.waiting_seconds is not None and measured.looking_seconds is not None
    assert measured.waiting_seconds.median == 120 and measured.waiting_seconds.ninth_decile == pytest.approx(504)
    assert measured.looking_seconds.median == 10
    (reviewer,) = measured.reviewers
    assert reviewer.opinions == 3 and reviewer.right is not None
    assert (reviewer.right.value, reviewer.right.count) == (0.5, 2)
    assert measured.gate.precision is not None and measured.gate.precision.count == 3, "tests judge no check"


def filled(place: Workspace) -> None:
    """Bad below 30, good above, but for one bad at 35 and one at 55 that only a spot check found; 200 passed."""
    history = History(place)
    for brightness in range(11, 30):
        history.add(2, "return", brightness=brightness, named=("brightness",))
    for brightness in range(31, 40):
        history.add(1, "accept", brightness=brightness)
    history.add(1, "return", brightness=35, named=("brightness",))
    history.add(1, "return", brightness=55)  # no reason named, no other doubt: taken as this check's
    history.add(1, "return", brightness=180, named=("task",))  # not for this check to find
    history.add(48, "accept", brightness=150)
    history.add(150, None, brightness=150)
    history.enter()


def test_the_proposed_threshold_misses_no_more_than_was_asked_and_flags_fewest(place: Workspace) -> None:
    filled(place)
    # the one at 55 stands for 4 recordings: of 38 + 1 + 4 = 43 bad ones
    lenient = calibrate(place.catalog, "brightness", "move", 0.15)
    assert lenient.is_lower_limit and 29 < lenient.doubt < 31
    assert lenient.missed.value == pytest.approx(5 / 43) and lenient.missed.count == 40
    between = calibrate(place.catalog, "brightness", "move", 0.1)
    assert 35 < between.doubt < 36 and between.missed.value == pytest.approx(4 / 43)
    strict = calibrate(place.catalog, "brightness", "move", 0)
    assert 55 < strict.doubt < 150 and strict.missed.value == 0 and strict.missed.high > 0.05
    for found in (lenient, between, strict):
        assert found.now.threshold == 40 and found.now.missed == pytest.approx(4 / 43)
        missed = [point.missed for point in found.curve]
        assert missed == sorted(missed) and missed[0] == 0 and missed[-1] == 1
        doubted = [point.doubted for point in found.curve]
        assert doubted == sorted(doubted, reverse=True) and doubted[0] == 1 and doubted[-1] == 0
        Limit("at least", found.doubt, found.fail)  # raises where they are in the wrong order


def test_what_is_bad_for_certain_may_be_rejected_without_a_person(place: Workspace) -> None:
    filled(place)
    found = calibrate(place.catalog, "brightness", "move", 0.1)
    # 38 of 38 below 30 are bad: Wilson's lower bound is 0.908
    assert found.fail_is_new and 29 <= found.fail <= 31 and found.fail <= found.doubt
    assert (found.doubt_now, found.fail_now) == (40, 10)


def test_where_too_little_is_known_what_rejects_stays(place: Workspace) -> None:
    history = History(place)
    history.add(5, "return", brightness=20, named=("brightness",))
    history.add(5, "accept", brightness=30)
    history.enter()
    found = calibrate(place.catalog, "brightness", "move", 0.02)
    assert not found.fail_is_new and found.fail == 10 and 20 < found.doubt < 30


def test_an_upper_limit_is_proposed_the_other_way_round(place: Workspace) -> None:
    history = History(place)
    history.add(20, "return", blur=0.8, named=("blur",))
    history.add(20, "accept", blur=0.6)
    history.enter()
    found = calibrate(place.catalog, "blur", "move", 0.02)
    assert not found.is_lower_limit and found.doubt == 0.7 and found.fail >= found.doubt
    assert found.at_doubt.precision == 1


def test_what_cannot_be_calibrated_says_why(place: Workspace) -> None:
    history = History(place)
    history.add(5, "accept", brightness=20)
    history.add(5, "return", brightness=20, named=("task",))
    history.enter()
    with pytest.raises(Conflict, match="reviewers decided on 10 recordings of 'move' and found none"):
        calibrate(place.catalog, "brightness", "move", 0.02)
    with pytest.raises(NotFound, match="no check named 'brightnes'"):
        calibrate(place.catalog, "brightnes", "move", 0.02)
    with pytest.raises(InvalidInput, match="miss rate of 2 "):
        calibrate(place.catalog, "brightness", "move", 2)


def test_wilson_is_the_published_interval() -> None:
    low, high = wilson(15, 148)  # Newcombe, Statistics in Medicine 17, 1998, table I: 0.0624 to 0.1605
    assert (round(low, 4), round(high, 4)) == (0.0624, 0.1605)
    low, high = wilson(0, 20)
    assert low == 0 and round(high, 4) == 0.1611
    assert wilson(0, 0) == (0, 1)


@given(st.integers(0, 50), st.integers(1, 50))
def test_a_share_lies_within_its_interval(successes: int, more: int) -> None:
    count = successes + more
    low, high = wilson(successes, count)
    assert 0 <= low <= successes / count <= high <= 1
    assert effective([3.0] * count) == pytest.approx(count)
    assert effective([1.0] * count + [10.0]) < count + 1


@given(
    st.floats(-1e6, 1e6, allow_nan=False),
    st.floats(1e-6, 1e6, allow_nan=False),
)
def test_a_threshold_lies_between_and_is_short(low: float, width: float) -> None:
    high = low + width
    found = short_between(low, high)
    assert low < found < high
    assert short_between(0.6, 0.8) == 0.7 and short_between(29, 31) == 30 and short_between(1500, 2600) == 2000
