"""The checks: what they measure, where they point, and what follows from them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotate.checks.built_in_checks import BUILT_IN
from annotate.checks.checks import advise, check_footage, next_state
from annotate.checks.evidence import Footage, LiveView
from annotate.checks.findings import ranges_of
from capture.image_measurements import ImageMeasurement
from kinesphere.trajectory import Valid
from storage.recordings.recording import Origin, State
from storage.tasks.criteria import Criteria, Thresholds
from tests.support.check_evidence import SECOND, SEEN, TIMES, judged, run, sampled, sampled_frames, with_square
from tests.support.own_arrays import own_trajectory


def test_a_good_recording_passes_every_check_and_points_nowhere() -> None:
    checks = judged(SEEN, TIMES)
    # nobody stated a length, there is no description, and no other recording is known
    unknown = {"length_mismatch_seconds", "consent_complete", "duplicate"}
    assert list(checks) == [name for name in BUILT_IN if name not in unknown]
    assert {check.verdict for check in checks.values()} == {"pass"}
    assert all(check.ranges == () for check in checks.values())
    assert next_state(list(checks.values()))[0] is State.ACCEPTED


def test_hands_out_of_view_are_doubted_with_the_time_when() -> None:
    valid = SEEN.copy()
    valid[60:] = Valid.BODY
    check = judged(valid, TIMES)["hands_visible_share"]
    assert check.value == pytest.approx(0.2)
    assert check.verdict == "doubt"
    assert check.ranges == ((int(TIMES[60]), int(TIMES[-1]) + 1),)
    assert "20%" in check.message and "at least 0.3" in check.message


def test_a_hand_alone_is_a_person_in_view() -> None:
    checks = judged(np.full(300, Valid.RIGHT_HAND, np.uint8), TIMES)
    assert checks["person_visible_share"].value == 1


def test_an_empty_room_is_rejected() -> None:
    state, why = next_state(list(judged(np.zeros(300, np.uint8), TIMES).values()))
    assert state is State.REJECTED
    assert "a person is found in 0% of the frames" in why


def test_darkness_is_told_before_it_is_too_dark() -> None:
    dim, black = judged(SEEN, TIMES, 32)["brightness"], judged(SEEN, TIMES, 0)["brightness"]
    assert (dim.verdict, black.verdict) == ("doubt", "fail")
    assert dim.ranges == ((0, int(TIMES[-1]) + 1),)


def test_a_gap_in_the_frame_times_is_found_where_it_is() -> None:
    times = TIMES.copy()
    times[150:] += SECOND
    check = judged(SEEN, times)["longest_gap_seconds"]
    assert check.verdict == "doubt"
    assert check.ranges == ((int(times[149]), int(times[150])),)


def test_a_pause_is_no_gap_and_does_not_lengthen_the_recording() -> None:
    times = TIMES.copy()
    times[150:] += 60 * SECOND
    pause = (int(times[149]) + SECOND // 30, int(times[150]))
    found = run(SEEN, times, sampled(times, 120), origin=Origin(kind="camera", pauses_ns=(pause,)))
    assert found["longest_gap_seconds"].value == pytest.approx(1 / 30, rel=0.01)
    assert found["duration_seconds"].value == pytest.approx(299 / 30, rel=0.01)
    assert found["frame_rate"].value == pytest.approx(30, rel=0.01)


def test_frames_that_did_not_decode_are_counted() -> None:
    damaged = run(SEEN, TIMES, sampled(TIMES, 120), [SECOND, 2 * SECOND])["damaged_frames"]
    assert (damaged.value, damaged.verdict) == (2, "doubt")
    assert [start for start, _ in damaged.ranges] == [SECOND, 2 * SECOND]


def noise(seed: int = 0, shape: tuple[int, int] = (120, 160)) -> NDArray[np.uint8]:
    grey = np.random.default_rng(seed).integers(60, 200, (*shape, 1), dtype=np.uint8)
    return np.repeat(grey, 3, axis=2)


def test_frames_that_repeat_are_found_where_they_are() -> None:
    image = noise()
    images = (with_square(image, min(index, 100) if index < 250 else index) for index in range(300))
    checks = run(SEEN, TIMES, sampled_frames(TIMES, images))
    check = checks["frozen_share"]
    assert check.value == pytest.approx(149 / 299)
    assert check.verdict == "doubt"
    assert check.ranges == ((int(TIMES[101]), int(TIMES[250])),)


def test_a_camera_that_shakes_is_told_from_a_person_who_moves() -> None:
    wide = noise(shape=(400, 520))
    shaken = (wide[index % 2 * 12 :][:360, index % 2 * 24 :][:, :480] for index in range(300))
    checks = run(SEEN, TIMES, sampled_frames(TIMES, shaken))
    assert checks["camera_shake"].verdict == "doubt"
    assert checks["camera_shake"].value == pytest.approx(np.hypot(24, 12) / 480, rel=0.1)
    assert judged(SEEN, TIMES)["camera_shake"].verdict == "pass"


def test_bad_focus_is_doubted() -> None:
    import cv2

    soft = cv2.GaussianBlur(noise(shape=(480, 640)).astype(np.float32), (0, 0), 8)
    soft = ((soft - soft.min()) / np.ptp(soft) * 255).astype(np.uint8)
    images = (np.roll(soft, index % 2, axis=1) for index in range(300))
    checks = run(SEEN, TIMES, sampled_frames(TIMES, images))
    assert checks["blur"].verdict == "doubt"


def test_a_contributor_is_advised_before_a_take_in_the_words_of_the_checks() -> None:
    well = ImageMeasurement(brightness=120, clipped_dark=0, clipped_bright=0, sharpness=200, blur=0.1)
    assert advise(Criteria(), LiveView(well, 30, person=True, hands=1)) == ()
    assert advise(Criteria(), LiveView(well)) == (), "what is not known is not told"
    dim = replace(well, brightness=20, blur=0.9, sharpness=1)
    assert advise(Criteria(), LiveView(dim, 7.2, person=False, hands=0)) == (
        "Nobody is in view: stay where the camera sees you until you are done.",
        "Only 7 frames a second are coming in: turn on more light, and close other programs.",
        "It is dark: turn on a light in front of you, or sit facing the window.",
        "The picture is blurred: wipe the lens, move back a little, or turn on more light.",
    )
    (told,) = advise(Criteria(), LiveView(replace(well, clipped_dark=0.2, clipped_bright=0.5)))
    assert told.startswith("Much of the picture is pure white: turn the camera away from windows")
    no_hands = LiveView(well, person=True, hands=0)
    assert [told.partition(":")[0] for told in advise(Criteria(), no_hands)] == ["Your hands are not in view"]
    assert advise(Criteria.of({"hands_visible_share": Thresholds(doubt=0, fail=0)}), no_hands) == ()


def test_right_after_a_take_what_needs_no_trajectory_is_judged() -> None:
    footage = Footage(TIMES, 640, 480, sampled(TIMES, 120))
    names = [check.check for check in check_footage(Criteria(), footage)]
    assert names[0] == "duration_seconds" and names[-1] == "camera_shake" and "late_share" in names


def test_one_frame_is_judged_too() -> None:
    checks = judged(SEEN[:1], TIMES[:1])
    assert checks["duration_seconds"].verdict == "fail"
    assert checks["frame_rate"].value == 0


@given(st.lists(st.booleans(), min_size=1, max_size=50))
def test_ranges_cover_exactly_the_bad_items(bad: list[bool]) -> None:
    starts = np.arange(len(bad), dtype=np.int64) * 10
    ranges = ranges_of(np.array(bad), starts, len(bad) * 10)
    assert [any(start <= moment < end for start, end in ranges) for moment in starts.tolist()] == bad
    assert all(after > before for (_, before), (after, _) in pairwise(ranges)), "ranges touch"


def test_what_the_extractor_gives_no_arrays_for_is_doubted_and_not_measured() -> None:
    trajectory = own_trajectory(len(TIMES))
    checks = run(SEEN, TIMES, sampled(TIMES, 120), trajectory=trajectory)
    unmeasured = {name: check for name, check in checks.items() if "cannot be measured" in check.message}
    assert set(unmeasured) == {
        "upper_body_visible_share", "upper_body_longest_absence_seconds", "too_far", "too_near", "off_centre",
        "head_cut_off_share", "wrist_speed", "track_jitter", "right_hand_share",
    }  # fmt: skip
    assert {check.verdict for check in unmeasured.values()} == {"doubt"}
    assert "extractor 'elbows' gives no array 'body_image'" in unmeasured["too_far"].message
    assert checks["person_visible_share"].verdict == "pass"  # `valid` tells
