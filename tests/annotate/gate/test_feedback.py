"""Evidence and feedback: what a reviewer is shown, and what the contributor is told."""

from __future__ import annotations

import pytest

from annotate.checks.built_in_checks import BUILT_IN
from annotate.gate.feedback import TEMPLATES, advice_from_checks, clock_time, feedback_on, merged, texts, where
from annotate.gate.review import ReviewEvidence, decide, take_for_review
from kinesphere.errors import Conflict
from storage.catalog import CheckRecord
from storage.recordings.recording import State
from storage.workspace import Workspace
from tests.support.judged_recordings import SECOND, TASK, given_to, judged


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
