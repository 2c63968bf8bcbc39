"""Duplicates: the same take is found again whatever was done to it, another take in the same room is not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotate.checks.built_in_checks import BUILT_IN
from annotate.checks.limits import Limit
from annotate.duplicates.change_fingerprint import ChangeHasher
from annotate.duplicates.comparison import Match, Views, compare, compare_motion, compare_video
from annotate.duplicates.duplicates import DuplicateIndex, duplicate_check
from annotate.duplicates.fingerprint import Fingerprint, fingerprint_key
from annotate.duplicates.hamming_index import HammingIndex
from annotate.duplicates.motion_fingerprint import MotionFingerprint, motion_fingerprint
from annotate.duplicates.video_fingerprint import VideoFingerprint, VideoHasher
from kinesphere.errors import CorruptObject
from kinesphere.objects.store import open_objects
from kinesphere.trajectory import BODY_LANDMARKS, HANDS, Trajectory
from storage.footage.video_reader import VideoFrame, open_video
from tests.support.generated_trajectories import make_trajectory
from tests.support.transformed_videos import TRANSFORMATIONS, Transformation, transform

SECOND = 1_000_000_000
NO_MOTION = MotionFingerprint(np.empty((0, 2, 5, 2), np.float16))
NO_PICTURES = VideoFingerprint(np.empty(0, np.int64), np.empty((0, 32), np.uint8), np.empty((0, 32), np.uint8))


def hashed(path: Path) -> Fingerprint:
    """Without the motion, which would have to be extracted."""
    pictures, changes = VideoHasher(), ChangeHasher()
    with open_video(path) as video:
        for frame in video.frames():
            pictures(frame)
            changes(frame)
    return Fingerprint(pictures.fingerprint, NO_MOTION, changes.fingerprint)


@pytest.fixture(scope="module")
def small_clip(body_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transform(body_clip, tmp_path_factory.mktemp("clips") / "small.mp4", Transformation(), width=320)


@pytest.fixture(scope="module")
def taken(small_clip: Path) -> Fingerprint:
    return hashed(small_clip)


@pytest.fixture(scope="module")
def original(taken: Fingerprint) -> VideoFingerprint:
    return taken.video


FOUND_BY_VIDEO = [
    "as it is", "re-encoded (crf 35)", "scaled to 360p", "mirrored", "0.8 x speed", "1.25 x speed", "middle third",
    "20 % brighter",
]  # fmt: skip
FOUND_BY_CHANGE = [
    "cropped by 10 %", "cropped by 10 %, corner", "cropped by 20 %", "cropped by 10 %, 1.25 x speed",
    "cropped by 10 %, mirrored, crf 35",
]  # fmt: skip


@pytest.mark.parametrize("name", FOUND_BY_VIDEO)
def test_pictures_are_known_again(name: str, small_clip: Path, original: VideoFingerprint, tmp_path: Path) -> None:
    how = TRANSFORMATIONS[name]
    changed = hashed(transform(small_clip, tmp_path / "changed.mp4", how))
    found = compare_video(changed.video, original)
    assert found is not None
    alignment, is_mirrored = found
    assert is_mirrored == ("hflip" in how.filters)
    assert alignment.matched > 0.9
    assert alignment.other_matched == pytest.approx(how.part[1] - how.part[0], abs=0.15)
    assert alignment.speed == pytest.approx(how.speed, rel=0.1)
    assert alignment.other_range_ns[0] == pytest.approx(7.67 * how.part[0] * SECOND, abs=0.6 * SECOND)


@pytest.mark.parametrize("name", FOUND_BY_CHANGE)
def test_a_crop_is_known_by_its_changes_and_through_the_index(
    name: str, small_clip: Path, taken: Fingerprint, tmp_path: Path
) -> None:
    how = TRANSFORMATIONS[name]
    changed = hashed(transform(small_clip, tmp_path / "changed.mp4", how))
    assert compare_video(changed.video, taken.video) is None, "this is what changes are for"
    with DuplicateIndex(tmp_path / "index", open_objects(tmp_path / "store", create=True)) as index:
        index.add("known", taken)
        index.add("generated", Fingerprint(NO_PICTURES, motion_fingerprint(make_trajectory(230))))
        (match,) = index.find("new", changed)
    assert (match.recording, match.evidence) == ("known", ("change",))
    assert match.is_mirrored == ("hflip" in how.filters)
    assert match.value > 0.6
    assert match.speed == pytest.approx(how.speed, rel=0.15)


@pytest.mark.parametrize("parts", [((0, 15), (15, 31)), ((0, 10), (20, 31)), ((10, 20), (20, 31))])
def test_other_takes_in_the_same_room_are_not(
    parts: tuple[tuple[int, int], tuple[int, int]], original: VideoFingerprint
) -> None:
    """Moments of one recording that do not overlap: the same person, light and room, and most hashes match."""
    one, other = (
        VideoFingerprint(original.times_ns[a:b], original.hashes[a:b], original.mirrored[a:b]) for a, b in parts
    )
    assert (np.bitwise_count(one.hashes[:, None] ^ other.hashes).sum(axis=2) <= 31).mean() > 0.5
    assert compare_video(one, other) is None


def test_pictures_without_structure_are_left_out() -> None:
    hasher = VideoHasher()
    for index in range(30):
        hasher(VideoFrame(index, index * SECOND // 10, np.full((120, 160, 3), 90, np.uint8)))
    assert len(hasher.fingerprint) == len(hasher.fingerprint.each_second()) == 0
    assert compare_video(hasher.fingerprint, hasher.fingerprint) is None


def turned_over(trajectory: Trajectory) -> Trajectory:
    """As it is extracted from the mirrored picture: x runs the other way, and left is right."""
    order = [
        BODY_LANDMARKS.index(
            name.replace("left", "*").replace("right", "left").replace("*", "right")
            if any(side in name for side in HANDS)
            else name
        )
        for name in BODY_LANDMARKS
    ]
    arrays: dict[str, Any] = dict(trajectory.arrays)
    arrays["body_image"] = arrays["body_image"][:, order] * np.array([-1, 1, 1]) + np.array([1, 0, 0])
    arrays["hands_image"] = arrays["hands_image"][:, ::-1] * np.array([-1, 1, 1]) + np.array([1, 0, 0])
    return Trajectory(**{**vars(trajectory), "arrays": arrays})


def retimed(trajectory: Trajectory, speed: float) -> Trajectory:
    times = np.rint(trajectory.arrays["timestamp"] / speed).astype(np.int64)
    return Trajectory(**{**vars(trajectory), "arrays": {**trajectory.arrays, "timestamp": times}})


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.1, 1.25])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_motion_is_known_again(speed: float, mirrored: bool) -> None:
    take = make_trajectory(600, seed=3)
    changed = retimed(turned_over(take) if mirrored else take, speed)
    found = compare_motion(motion_fingerprint(changed), motion_fingerprint(take))
    assert found is not None
    assert found[1] == mirrored
    assert found[0].matched > 0.7


def test_a_part_of_a_motion_is_known_again() -> None:
    signal = motion_fingerprint(make_trajectory(900, seed=4)).signal
    found = compare_motion(MotionFingerprint(signal[100:180]), MotionFingerprint(signal))
    assert found is not None
    assert found[0].matched > 0.9
    assert found[0].other_range_ns[0] == pytest.approx(10 * SECOND, abs=0.3 * SECOND)


def test_other_motions_are_not() -> None:
    takes = [motion_fingerprint(make_trajectory(300, seed=seed)) for seed in range(10, 14)]
    views = [Views.from_signal(take) for take in takes]
    pairs = [(i, other) for i in range(4) for other in takes[:i]]
    assert [compare_motion(takes[i], other, views[i]) for i, other in pairs] == [None] * 6


def test_who_does_not_move_has_no_fingerprint() -> None:
    still = MotionFingerprint(np.ones((100, 2, 5, 2), np.float16))
    missing = MotionFingerprint(np.full((100, 2, 5, 2), np.nan, np.float16))
    for motion in (still, missing):
        assert len(motion.hashes()[0]) == 0
        assert compare_motion(motion, motion) is None


def test_the_index_finds_a_take_and_forgets_what_is_removed(tmp_path: Path, original: VideoFingerprint) -> None:
    objects = open_objects(tmp_path / "store", create=True)
    known = Fingerprint(original, motion_fingerprint(make_trajectory(230, seed=1)))
    other = Fingerprint(
        VideoFingerprint(original.times_ns, ~original.hashes, ~original.mirrored),
        motion_fingerprint(make_trajectory(230, seed=2)),
    )
    with DuplicateIndex(tmp_path / "index", objects) as index:
        index.add("known", known)
        index.add("other", other)
    with DuplicateIndex(tmp_path / "index", objects) as index:
        (match,) = index.find("new", known)
        assert (match.recording, match.evidence, match.share) == ("known", ("video", "motion"), 1.0)
        assert index.find("known", known) == [], "a recording is no duplicate of itself"
        swapped = Fingerprint(other.video, known.motion)
        assert {(m.recording, m.evidence) for m in index.find("new", swapped)} == {
            ("other", ("video",)),
            ("known", ("motion",)),
        }
        index.remove("known")
        assert index.find("new", known) == []
        assert not objects.exists(fingerprint_key("known"))
        objects.delete(fingerprint_key("other"))
        assert index.find("new", other) == []
        assert "other" not in index


def test_a_recording_of_an_earlier_release_is_found_by_what_it_has(tmp_path: Path, taken: Fingerprint) -> None:
    """Its fingerprint has no changes, and its index no folder for them."""
    objects = open_objects(tmp_path / "store", create=True)
    motion = motion_fingerprint(make_trajectory(230, seed=1))
    content = io.BytesIO()
    np.savez_compressed(
        content,
        times_ns=taken.video.times_ns,
        hashes=taken.video.hashes,
        mirrored=taken.video.mirrored,
        signal=motion.signal,
    )
    objects.put(fingerprint_key("old"), content.getvalue())
    each = taken.video.each_second()
    with HammingIndex(tmp_path / "index" / "video") as video:
        video.add("old", each.times_ns // 1_000_000, each.hashes)
    with DuplicateIndex(tmp_path / "index", objects) as index:
        assert "old" in index
        assert (index.catch_up(["old"]), index.catch_up(["old"])) == (1, 0)
        (match,) = index.find("new", Fingerprint(taken.video, motion, taken.change))
        assert match.evidence == ("video", "motion")
        index.remove("old")
        assert "old" not in index


def test_a_fingerprint_survives_storing(taken: Fingerprint) -> None:
    fingerprint = Fingerprint(taken.video, motion_fingerprint(make_trajectory(100)), taken.change)
    content = fingerprint.to_bytes()
    assert content == fingerprint.to_bytes(), "equal fingerprints are equal bytes"
    read = Fingerprint.from_bytes(content, "key")
    assert compare(read, fingerprint) == compare(fingerprint, fingerprint)
    with pytest.raises(CorruptObject, match="object 'key'"):
        Fingerprint.from_bytes(content[:100], "key")


USUAL = BUILT_IN["duplicate"].default


def test_the_check_names_the_other_recording_and_whose_it_is() -> None:
    match = Match("r2", ("video",), 0.5, 1.0, 1.25, True, (0, 3 * SECOND), (SECOND, 4 * SECOND))
    check = duplicate_check([match], "anna", {"r2": "anna"}, USUAL)
    assert (check.check, check.value, check.verdict) == ("duplicate", 1.0, "doubt")
    assert check.ranges == ((0, 3 * SECOND),)
    assert check.message == (
        "50% of it shows what recording r2 by the same contributor shows, 0.0 s to 3.0 s being its 1.0 s to 4.0 s, "
        "mirrored, at 1.2 times its speed (by its pictures) (should be at most 0.2): record a new take of your own"
    )
    assert "by another contributor" in duplicate_check([match], "anna", {"r2": "ben"}, USUAL).message
    assert duplicate_check([], "anna", {}, USUAL).verdict == "pass"


def test_what_the_motion_alone_tells_is_a_doubt_and_named_as_another_view() -> None:
    ranges = (0, 3 * SECOND), (SECOND, 4 * SECOND)
    motion = Match("r2", ("motion",), 0.9, 1.0, 1.0, False, *ranges)
    strict = Limit("at most", 0.2, 0.5)
    whose = {"r2": "anna", "r3": "anna"}
    check = duplicate_check([motion], "anna", whose, strict)
    assert check.verdict == "doubt"
    assert "(by how the person moves alone: perhaps another camera's view of it)" in check.message
    pictures = Match("r3", ("change", "motion"), 0.7, 0.6, 1.0, False, *ranges)
    check = duplicate_check([motion, pictures], "anna", whose, strict)
    assert (check.verdict, check.value) == ("fail", 0.7)
    assert "r3 by the same contributor" in check.message
    assert "(by where its pictures change and how the person moves)" in check.message
