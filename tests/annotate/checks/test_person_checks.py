"""Checks of the person in the picture: presence, framing, movement, jitter, and others in view."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotate.checks.evidence import Evidence, Footage
from kinesphere.trajectory import Valid
from pose.extractors.extractor import ExtractionReport
from pose.landmarks import BODY_SHOULDERS, BODY_WRISTS
from storage.recordings.recording import Origin
from storage.tasks.criteria import Criteria, Thresholds
from tests.support.check_evidence import SECOND, SEEN, TIMES, checked, person, run, sampled, usual_samples

END = int(TIMES[-1]) + 1
ONE_HAND = np.full(300, Valid.LEFT_HAND, np.uint8)
BODY_ALONE = np.full(300, Valid.BODY, np.uint8)


def body() -> NDArray[Any]:
    """The usual body's landmarks, to be changed."""
    return np.array(person().arrays["body_image"])


def test_a_part_of_the_upper_body_out_of_the_picture_or_hidden_is_missed() -> None:
    image, visibility = body(), np.array(person().arrays["body_visibility"])
    image[100:, BODY_WRISTS[0], 1] = 1.01
    visibility[60:100, BODY_WRISTS[1]] = 0.4
    check = checked(trajectory=person(body_image=image, body_visibility=visibility))["upper_body_visible_share"]
    assert check.value == pytest.approx(0.2) and check.verdict == "doubt"
    assert check.ranges == ((int(TIMES[60]), END),)
    assert "your whole upper body is seen in 20% of the frames (should be at least 0.3): move back" in check.message


def test_a_body_that_was_not_found_is_no_upper_body() -> None:
    assert run(ONE_HAND, TIMES, usual_samples())["upper_body_visible_share"].value == 0


def test_the_longest_absence_of_the_hands_is_one_stretch_and_knows_pauses() -> None:
    times = np.concatenate((TIMES, TIMES + TIMES[-1] + SECOND * 61, TIMES + 2 * TIMES[-1] + SECOND * 62))
    valid = np.concatenate((SEEN, BODY_ALONE, SEEN))
    valid[100:120] = Valid.BODY
    pause = Origin(kind="camera", pauses_ns=((int(TIMES[-1]) + SECOND // 30, int(times[300])),))
    check = run(valid, times, sampled(times, 120), origin=pause)["hands_longest_absence_seconds"]
    assert check.value == pytest.approx(300 / 30 + 1, abs=0.05)
    assert check.verdict == "doubt" and check.ranges == ((int(times[300]), int(times[600])),)
    early = np.concatenate((BODY_ALONE, SEEN, SEEN))
    check = run(early, times, sampled(times, 120), origin=pause)["hands_longest_absence_seconds"]
    assert check.value == pytest.approx(10, abs=0.1), "the minute of the pause is not counted"


def test_hands_that_never_come_are_absent_to_the_last_frame() -> None:
    check = run(BODY_ALONE, TIMES, usual_samples())["hands_longest_absence_seconds"]
    assert check.value == pytest.approx(299 / 30)


def test_others_count_where_they_are_seen_or_may_have_been_taken_for_the_contributor() -> None:
    others = np.zeros(300, np.uint8)
    others[30:120] = 2
    valid = SEEN.copy()
    valid[270:] |= np.uint8(Valid.UNSURE)
    check = run(valid, TIMES, usual_samples(), report=ExtractionReport(others=others))["other_people_share"]
    assert check.value == pytest.approx(0.4) and check.verdict == "doubt"
    assert check.ranges == ((int(TIMES[30]), int(TIMES[120])), (int(TIMES[270]), END))
    assert checked(report=ExtractionReport(others=others * 0))["other_people_share"].message == "nobody else was seen"


def scaled(size: float, x: float = 0.5) -> NDArray[Any]:
    """The usual body, smaller or larger about the middle of the picture, at another place across."""
    image = body()
    image[..., :2] = (image[..., :2] - 0.5) * size + np.array([x, 0.5])
    return image


@pytest.mark.parametrize(("size", "doubted"), [(0.1, "too_far"), (1, None), (3.5, "too_near")])
def test_the_distance_is_told_from_the_shoulders(size: float, doubted: str | None) -> None:
    checks = checked(trajectory=person(body_image=scaled(size)))
    assert checks["too_far"].value == checks["too_near"].value == pytest.approx(0.2 * size, rel=1e-5)
    found = [name for name in ("too_far", "too_near") if checks[name].verdict != "pass"]
    assert found == ([] if doubted is None else [doubted])
    if doubted is not None:
        assert checks[doubted].ranges == ((0, END),)


def test_who_turns_aside_is_no_farther_away() -> None:
    image = body()
    image[:, BODY_SHOULDERS, 0] = 0.5
    image[:, BODY_SHOULDERS, 1] = 0.3
    seen = checked(trajectory=person(body_image=image))["too_far"]
    assert seen.value == pytest.approx(0.7 * 0.2 * 480 / 640, rel=1e-5) and seen.verdict == "pass"
    visibility = np.zeros((300, 33), np.float32)
    hidden = checked(trajectory=person(body_image=image, body_visibility=visibility))["too_far"]
    assert hidden.value == pytest.approx(0, abs=1e-6), "hips that are not seen say nothing"


def test_someone_at_the_side_and_someone_headless_is_told() -> None:
    beside = checked(trajectory=person(body_image=scaled(1, x=0.1)))["off_centre"]
    assert beside.value == pytest.approx(0.4) and beside.verdict == "doubt"
    image = body()
    image[:150, 2, 1] = -0.01  # an eye
    head = checked(trajectory=person(body_image=image))["head_cut_off_share"]
    assert (head.value, head.verdict, head.ranges) == (0.5, "doubt", ((0, int(TIMES[150])),))


def test_a_picture_of_hands_alone_is_not_judged_by_its_framing() -> None:
    checks = run(ONE_HAND, TIMES, usual_samples())
    assert not {"too_far", "too_near", "off_centre", "head_cut_off_share"} & set(checks)
    # four palms of 0.05 are a shoulder width; 0.1 heights at 3 radians/s are seen as a sine of 0.075 widths
    fastest = 2 * 0.075 * np.sin(3 * 0.5 / 2) / 0.2 / 0.5
    assert checks["wrist_speed"].value == pytest.approx(fastest, rel=0.03)
    assert checks["track_jitter"].value < 0.001


def wandering(amplitude: float, noise: float, size: float = 1.0) -> NDArray[Any]:
    """The usual body, whose wrists swing and tremble by so many shoulder widths."""
    image = body()
    random = np.random.default_rng(3).standard_normal((300, 2, 2))
    swing = amplitude * np.sin(TIMES / SECOND * 3)[:, None, None] * np.array([1, 0])
    image[:, BODY_WRISTS, :2] = 0.5 + 0.2 * (swing + noise * random) * np.array([1, 640 / 480])
    image[..., :2] = (image[..., :2] - 0.5) * size + 0.5
    return image


def test_who_keeps_still_is_doubted_and_trembling_tracks_are_no_movement() -> None:
    still = checked(trajectory=person(body_image=wandering(0, 0.002)))["wrist_speed"]
    assert still.verdict == "doubt" and 0 < still.value < 0.03
    one_hand = wandering(0.5, 0)
    one_hand[:, BODY_WRISTS[0]] = 0.5
    moving = checked(trajectory=person(body_image=one_hand))["wrist_speed"]
    assert moving.value == pytest.approx(2 * 0.5 * np.sin(3 * 0.5 / 2) / 0.5, rel=0.03)


def test_a_mirrored_video_shows_in_which_hand_does_the_work() -> None:
    """By default any hand may; a task can ask for the right one."""
    image = wandering(0.5, 0)
    image[:, BODY_WRISTS[0]] = 0.5
    assert checked(trajectory=person(body_image=image))["right_hand_share"].value == pytest.approx(1)
    image[:, BODY_WRISTS] = image[:, BODY_WRISTS[::-1]]
    criteria = Criteria.of({"right_hand_share": Thresholds(doubt=0.5, fail=0)})
    for asked, verdict in ((None, "pass"), (criteria, "doubt")):
        check = checked(trajectory=person(body_image=image), criteria=asked)["right_hand_share"]
        assert check.value == pytest.approx(0) and check.verdict == verdict
    assert "if you did, the video is mirrored" in check.message
    image[:, BODY_WRISTS] = 0.5
    assert "right_hand_share" not in checked(trajectory=person(body_image=image)), "nobody does any"


@settings(max_examples=8)
@given(st.floats(0.01, 0.3), st.floats(0.3, 2))
def test_jitter_is_the_standard_deviation_of_the_noise_at_any_distance(noise: float, size: float) -> None:
    check = checked(trajectory=person(body_image=wandering(0.5, noise, size)))["track_jitter"]
    assert check.value == pytest.approx(noise, rel=0.08)
    assert check.verdict == ("pass" if check.value <= 0.15 else "doubt")


def test_jitter_is_measured_before_smoothing_where_that_is_known() -> None:
    raw = np.full((300, 2, 2, 2), np.nan, np.float32)
    raw[:, 0] = wandering(0.5, 0.2)[:, BODY_WRISTS, :2]
    smooth = person(body_image=wandering(0.5, 0))
    assert checked(trajectory=smooth)["track_jitter"].value < 0.001
    known = checked(trajectory=smooth, report=ExtractionReport(np.zeros(300, np.uint8), raw))["track_jitter"]
    assert known.value == pytest.approx(0.2, rel=0.15) and known.verdict == "doubt"


def test_gaps_in_time_are_no_jitter() -> None:
    times = np.cumsum(np.where(np.arange(300) % 10, 1, 10)).astype(np.int64) * (SECOND // 30)
    image = body()
    image[:, BODY_WRISTS, 0] = 0.5 + 0.1 * np.sin(times / SECOND * 3)[:, None]
    checks = run(SEEN, times, sampled(times, 120), trajectory=person(body_image=image, timestamp=times))
    assert checks["track_jitter"].value < 0.001


def test_the_seconds_that_tremble_are_pointed_at() -> None:
    image = wandering(0.5, 0.01)
    image[60:270] = wandering(0.5, 0.4)[60:270]
    check = checked(trajectory=person(body_image=image))["track_jitter"]
    ((start, end),) = check.ranges
    assert check.verdict == "doubt" and start <= 2 * SECOND and 9 * SECOND <= end <= END


def test_what_cannot_be_measured_leaves_no_record() -> None:
    nothing = run(np.zeros(300, np.uint8), TIMES, usual_samples())
    assert not {"too_far", "off_centre", "wrist_speed", "track_jitter"} & set(nothing)
    assert nothing["person_visible_share"].verdict == "fail"
    assert Evidence(Footage(TIMES, 640, 480, usual_samples())).wrists is None


def test_each_absence_is_of_what_its_share_is_of() -> None:
    valid = SEEN.copy()
    valid[30:90] = 0  # nobody
    valid[90:150] = Valid.LEFT_HAND  # no body
    valid[150:240] = Valid.BODY  # no hand
    found = run(valid, TIMES, usual_samples())
    shares = {name: found[f"{name}_visible_share"].value for name in ("person", "upper_body", "hands")}
    assert shares == pytest.approx({"person": 240 / 300, "upper_body": 180 / 300, "hands": 150 / 300})
    absences = {name: found[f"{name}_longest_absence_seconds"].value for name in shares}
    assert absences == pytest.approx({"person": 2, "upper_body": 4, "hands": 3}, rel=1e-3)
    assert "a hand is found, but not for 3.0 s from 5.0 s on" in found["hands_longest_absence_seconds"].message
