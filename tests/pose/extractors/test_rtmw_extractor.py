"""The extractor of whole-body networks, run by ONNX Runtime on clips in which spots of colour play a person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kinesphere.dataset import open_dataset
from kinesphere.errors import InvalidInput
from kinesphere.trajectory import BODY_LANDMARKS, Trajectory, Valid
from pose.extractors.extractor import ExtractionReport, ExtractorOptions
from pose.extractors.extractor_by_name import open_extractor
from pose.extractors.rtmw_extractor import SPECS, RtmwExtractor
from pose.extractors.whole_body_landmarks import HAND_POINTS, WHOLE_BODY_LANDMARKS
from storage.footage.video_reader import open_video
from tests.support.coloured_spots import Place, spotted_clip
from tests.support.command import TASK, Command
from tests.support.onnx_models import Spot, fixed_model, whole_body_model

SIZE = (320, 240)
FRAMES = 24
BODY, LEFT, RIGHT = range(3)
"""The colours, and the parts that follow them."""
DARK = "brightness = { doubt = 0, fail = 0 }\nclipped_share = { doubt = 1, fail = 1 }\n"
"""Criteria of a task that takes spots on black."""


def colour_of(name: str) -> int:
    if "hand_root" in name or "finger" in name or "thumb" in name:
        return LEFT if name.startswith("left") else RIGHT
    return BODY


def beside(number: int) -> tuple[int, int]:
    """Where a landmark lies from its spot: different for those that could be mistaken for each other."""
    return number % 5 - 2, number // 5 % 5 - 2


SPOTS: list[Spot] = [(colour_of(name), beside(number)) for number, name in enumerate(WHOLE_BODY_LANDMARKS)]


def walk(frames: int = FRAMES, speed: float = 30) -> list[list[Place]]:
    """A body that walks to the right and hands that circle it."""
    times = np.arange(frames) / 10
    return [
        [(120 + speed * t, 130), (90 + speed * t, 90 + 12 * np.sin(3 * t)), (160 + speed * t, 95 + 12 * np.cos(3 * t))]
        for t in times
    ]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_body_model(tmp_path_factory.mktemp("weights") / "whole_body.onnx", SPOTS)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spotted_clip(tmp_path_factory.mktemp("clips") / "walk.mp4", SIZE, walk())


def extract(clip: Path, weights: Path, people: Path | None = None) -> Trajectory:
    extractor = open_extractor("rtmw", ExtractorOptions(pose_model=weights, person_model=people))
    with open_video(clip) as video:
        return extractor.extract(video, recording="r", contributor="c")


@pytest.fixture(scope="module")
def trajectory(clip: Path, weights: Path) -> Trajectory:
    return extract(clip, weights)


def in_pixels(trajectory: Trajectory, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(trajectory.arrays[name][..., :2], np.float64) * SIZE


def test_everything_is_where_the_network_sees_it(trajectory: Trajectory) -> None:
    assert set(trajectory.arrays) == set(SPECS) and len(trajectory) == FRAMES
    places = in_pixels(trajectory, "wholebody_image")
    coarse = 1.25 * SIZE[0] / 96  # pixels for one of the network's, where it sees the whole picture
    for number, (colour, offset) in enumerate(SPOTS):
        expected = np.array(walk()[0][colour]) + np.array(offset) * coarse
        np.testing.assert_allclose(places[0, number], expected, atol=0.6 * coarse + 0.5)
    for row, spots in enumerate(walk()):
        middle = [places[row, [i for i, spot in enumerate(SPOTS) if spot == (part, (0, 0))]] for part in range(3)]
        for part, found in enumerate(middle):
            np.testing.assert_allclose(found, np.broadcast_to(np.array(spots[part]), found.shape), atol=3)


def test_a_person_who_is_followed_is_seen_larger(clip: Path, trajectory: Trajectory) -> None:
    places = in_pixels(trajectory, "wholebody_image")
    still = [i for i, spot in enumerate(SPOTS) if spot == (BODY, (0, 0))]
    truth = np.array([spots[BODY] for spots in walk()])[:, None]
    steps = [len(np.unique(places[rows][:, :, 0])) for rows in (slice(0, 1), slice(4, None))]
    assert np.abs(places[4:, still] - truth[4:]).max() < 2.2 and steps[1] > steps[0]
    widths = np.ptp(places[..., 0], axis=1)
    assert widths[4:].max() < widths[0], "offsets are pixels of the network, which now are less of the picture"


def test_our_landmarks_are_the_same_points_and_the_others_are_missing(trajectory: Trajectory) -> None:
    arrays = trajectory.arrays
    body, theirs = arrays["body_image"], arrays["wholebody_image"]
    same = {
        "nose": "nose", "right_eye_outer": "face-36", "left_eye_inner": "face-42", "mouth_left": "face-54",
        "left_shoulder": "left_shoulder", "right_elbow": "right_elbow", "left_wrist": "left_wrist",
        "right_hip": "right_hip", "left_knee": "left_knee", "right_ankle": "right_ankle", "left_heel": "left_heel",
        "right_foot_index": "right_big_toe", "left_index": "left_forefinger1", "right_pinky": "right_pinky_finger1",
    }  # fmt: skip
    for ours, name in same.items():
        mine, other = BODY_LANDMARKS.index(ours), WHOLE_BODY_LANDMARKS.index(name)
        np.testing.assert_array_equal(body[:, mine, :2], theirs[:, other])
        np.testing.assert_array_equal(arrays["body_visibility"][:, mine], arrays["wholebody_score"][:, other])
    thumbs = [BODY_LANDMARKS.index("left_thumb"), BODY_LANDMARKS.index("right_thumb")]
    assert np.isnan(body[:, thumbs]).all() and not arrays["body_visibility"][:, thumbs].any()
    assert np.isnan(body).all(axis=(0, 2)).sum() == 2
    for side, root in ((0, 91), (1, 112)):
        assert WHOLE_BODY_LANDMARKS[root] == f"{('left', 'right')[side]}_hand_root"
        np.testing.assert_array_equal(arrays["hands_image"][:, side, :, :2], theirs[:, root : root + 21])
        assert HAND_POINTS[side] == tuple(range(root, root + 21))
    assert np.isnan(body[..., 2]).all() and np.isnan(arrays["hands_image"][..., 2]).all(), "it knows no depth"
    found = Valid.BODY | Valid.LEFT_HAND | Valid.RIGHT_HAND
    assert (arrays["valid"] == found).all()
    assert (arrays["hand_score"] > 0.7).all() and (arrays["hand_score"] <= 1).all()
    assert WHOLE_BODY_LANDMARKS[112:] == tuple(name.replace("left", "right") for name in WHOLE_BODY_LANDMARKS[91:112])
    assert (trajectory.intrinsics["source"], trajectory.scale) == ("assumed", "relative")


def found_in(clip: Path, weights: Path, frames: Sequence[Sequence[Place]]) -> Trajectory:
    return extract(spotted_clip(clip, SIZE, frames), weights)


def test_what_is_not_there_is_missing_and_who_comes_back_is_found(weights: Path, tmp_path: Path) -> None:
    frames = walk()
    frames[5:10] = [[None, None, None]] * 5
    frames[14:18] = [[body, None, right] for body, _, right in frames[14:18]]
    frames[20:22] = [[None, left, None] for _, left, _ in frames[20:22]]
    arrays = found_in(tmp_path / "a.mp4", weights, frames).arrays
    assert not arrays["valid"][5:10].any() and not arrays["wholebody_score"][5:10].any()
    for name in ("body_image", "hands_image", "wholebody_image"):
        assert np.isnan(arrays[name][5:10]).all()
    assert (arrays["valid"][10:14] == 7).all()
    assert (arrays["valid"][14:18] == Valid.BODY | Valid.RIGHT_HAND).all()
    assert np.isnan(arrays["hands_image"][14:18, 0]).all() and not arrays["hand_score"][14:18, 0].any()
    assert (arrays["valid"][20:22] == Valid.LEFT_HAND).all() and np.isnan(arrays["body_image"][20:22]).all()
    assert (arrays["valid"][22:] == 7).all()


def test_a_small_person_is_found_with_a_detector(weights: Path, tmp_path: Path) -> None:
    """In the whole picture of 1280 pixels the spots are smaller than the network's pixels, and fainter by that."""
    size, spots = (1280, 720), [(900.0, 400.0), (880.0, 380.0), (925.0, 382.0)]
    clip = spotted_clip(tmp_path / "a.mp4", size, [spots] * 4, width=2.5)
    boxes = np.array([[[43, 17, 48, 22, 0.9], [0, 0, 3, 3, 0.9], [0, 0, 64, 64, 0.4]]], np.float32)
    people = fixed_model(tmp_path / "people.onnx", {"dets": boxes}, (1, 3, 64, 64))
    with_detector, without = extract(clip, weights, people), extract(clip, weights)
    places = np.asarray(with_detector.arrays["wholebody_image"], np.float64) * size
    still = [i for i, spot in enumerate(SPOTS) if spot == (BODY, (0, 0))]
    assert np.abs(places[0, still] - spots[BODY]).max() < 3
    assert with_detector.extractor.models.keys() == {"whole_body", "people"}
    assert with_detector.extractor.extractor_id != without.extractor.extractor_id
    rough = np.asarray(without.arrays["wholebody_image"], np.float64)[0, still] * size
    assert np.isnan(rough).all() or np.abs(rough - spots[BODY]).max() > 3


def test_the_same_video_and_weights_give_the_same_bytes(
    clip: Path, weights: Path, trajectory: Trajectory, tmp_path: Path
) -> None:
    again = extract(clip, weights)
    assert again.extractor == trajectory.extractor
    for name, values in trajectory.arrays.items():
        assert values.tobytes() == again.arrays[name].tobytes(), name
    other = whole_body_model(tmp_path / "other.onnx", SPOTS, scale=0.9)
    assert extract(clip, other).extractor.extractor_id != trajectory.extractor.extractor_id


def test_the_checks_see_each_frame_and_learn_of_the_wrists(clip: Path, weights: Path) -> None:
    report, seen = ExtractionReport(), []
    extractor = open_extractor("rtmw", ExtractorOptions(pose_model=weights))
    with open_video(clip) as video:
        found = extractor.extract(
            video, recording="r", contributor="c", on_frame=lambda frame: seen.append(frame.index), report=report
        )
    assert seen == list(range(FRAMES))
    wrists = [BODY_LANDMARKS.index(f"{side}_wrist") for side in ("left", "right")]
    np.testing.assert_array_equal(report.raw_wrists[:, 0], found.arrays["body_image"][:, wrists, :2])
    np.testing.assert_array_equal(report.raw_wrists[:, 1], found.arrays["hands_image"][:, :, 0, :2])
    assert len(report.others) == 0


def test_it_says_what_it_needs(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"needs the weights of a whole-body network.*--pose-model FILE\.onnx"):
        open_extractor("rtmw", ExtractorOptions())
    with pytest.raises(InvalidInput, match="leave --hand-model out"):
        open_extractor("rtmw", ExtractorOptions(pose_model=weights, hand_model=weights))
    with pytest.raises(InvalidInput, match="should find people as YOLOX does"):
        open_extractor("rtmw", ExtractorOptions(pose_model=weights, person_model=weights))
    with pytest.raises(InvalidInput, match="should find 133 landmarks"):
        open_extractor("rtmw", ExtractorOptions(pose_model=whole_body_model(tmp_path / "17.onnx", SPOTS[:17])))
    with pytest.raises(InvalidInput, match="leave --person-model out"):
        open_extractor("mediapipe", ExtractorOptions(person_model=weights))
    assert isinstance(open_extractor("rtmw", ExtractorOptions(pose_model=weights)), RtmwExtractor)


def test_the_command_extracts_with_weights_of_ones_own_and_its_landmarks_reach_the_reader(
    clip: Path, weights: Path, trajectory: Trajectory, tmp_path: Path
) -> None:
    command = Command.in_new_workspace(tmp_path / "workspace")
    long = spotted_clip(tmp_path / "long.mp4", SIZE, walk(60, speed=15))
    (tmp_path / "dark.toml").write_text(TASK.replace('"move"', '"dark"', 1).replace("[labels]", DARK + "[labels]"))
    command.run("task", "add", str(tmp_path / "dark.toml"))
    command.run("import", str(long), "-t", "dark", "-c", "c001", "--yes")
    command.run("submit", "--all")
    assert "--pose-model FILE.onnx" in command.error("process", "--extractor", "rtmw")
    (outcome,) = command.json("process", "--extractor", "rtmw", "--pose-model", str(weights))["processed"]
    assert (outcome["frames"], outcome["frames_with_body"], outcome["hands_found"]) == (60, 60, 120)
    if outcome["state"] != "accepted":
        command.run("review", outcome["recording"], "--decision", "accept")
    command.run("publish", "whole")
    dataset = open_dataset(command.workspace / "datasets/whole")
    assert dataset.arrays["wholebody_image"].landmarks == WHOLE_BODY_LANDMARKS
    episode = dataset.episode(0)
    np.testing.assert_allclose(episode["wholebody_image"][0], trajectory.arrays["wholebody_image"][0], atol=1e-3)
    (batch,) = dataset.stream(16, 100, keys=["wholebody_image", "wholebody_score"])
    assert batch["wholebody_image"].shape[1:] == (16, 133, 2)
    command.run("info", "whole", "--statistics")
    command.run("export", "whole", "--format", "parquet", str(tmp_path / "tables"))
    command.run("blur", outcome["recording"])
