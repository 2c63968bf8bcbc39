"""The truth beside a clip is that of its pictures: landmarks lie where the person is drawn, before every camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.rendered_people.body_shape import body_shape
from benchmarks.rendered_people.clips import Clip, clips_folder, clips_of
from benchmarks.rendered_people.filming import film
from benchmarks.rendered_people.limbs import ArmRig
from benchmarks.rendered_people.truth import Truth, load_truth
from kinesphere.trajectory import BODY_LANDMARKS
from pose.geometry.wrist import grip, palm_axes
from pose.landmarks import BODY_SIDES, HAND_BONES
from storage.footage.video_reader import open_video
from tests.support.rendered_scenes import renders, small_scene

DESK, STANDING, WORN = 15, 3, 4
"""Seeds: somebody at a desk who faces the camera, somebody who stands, and a camera on somebody's head."""


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody at a desk before two cameras."""
    folder = tmp_path_factory.mktemp("filmed") / "clip"
    film(small_scene(DESK, cameras=2), folder)
    return folder


@pytest.fixture(scope="module")
def truths(filmed: Path) -> tuple[Truth, Truth]:
    return load_truth(filmed / "camera0/truth.npz"), load_truth(filmed / "camera1/truth.npz")


@renders
def test_both_cameras_see_one_person(truths: tuple[Truth, Truth]) -> None:
    one, other = (
        np.einsum("fji,fpj->fpi", truth.camera_rotation, truth.body_camera) + truth.camera_position[:, None]
        for truth in truths
    )
    assert one == pytest.approx(other, abs=1e-9, nan_ok=True)
    assert np.linalg.norm(truths[0].camera_position - truths[1].camera_position, axis=1) == pytest.approx(0.3)
    assert np.nanmedian(np.abs(truths[0].body_pixels - truths[1].body_pixels)) > 1


@renders
def test_pixels_are_the_camera_s_view_of_the_points(truths: tuple[Truth, Truth]) -> None:
    for truth in truths:
        fx, fy, cx, cy = truth.intrinsics
        for camera, pixels in ((truth.body_camera, truth.body_pixels), (truth.hands_camera, truth.hands_pixels)):
            x, y, z = np.moveaxis(camera, -1, 0)
            shown = np.stack([x / z * fx + cx, y / z * fy + cy], axis=-1)
            assert shown[z > 0.02] == pytest.approx(pixels[z > 0.02], nan_ok=True)


@renders
def test_bones_keep_their_lengths_and_left_is_the_person_s_left(truths: tuple[Truth, Truth]) -> None:
    truth = truths[0]
    for points, bones in ((truth.hands_camera, HAND_BONES), (truth.body_camera, sum(BODY_SIDES, ()))):
        ends = np.array(bones)
        lengths = np.linalg.norm(points[..., ends[:, 0], :] - points[..., ends[:, 1], :], axis=-1)
        rigid = lengths[..., :-3] if bones is HAND_BONES else lengths[:, [0, 1, 3, 8, 9, 11]]
        assert np.ptp(rigid, axis=0).max() < 0.004  # but for the skin at finger tips, heels and toes
    left, right = (BODY_LANDMARKS.index(f"{side}_shoulder") for side in ("left", "right"))
    assert (truth.body_pixels[:, left, 0] > truth.body_pixels[:, right, 0] + 10).all()
    wrists = [BODY_LANDMARKS.index(f"{side}_wrist") for side in ("left", "right")]
    assert truth.body_camera[:, wrists] == pytest.approx(truth.hands_camera[:, :, 0])


@renders
def test_rotation_and_grip_are_those_of_the_extractor(truths: tuple[Truth, Truth]) -> None:
    truth = truths[0]
    for side in (0, 1):
        assert truth.wrist_rotation[:, side] == pytest.approx(palm_axes(truth.hands_camera[:, side], side))
    assert truth.grip == pytest.approx(grip(truth.hands_camera))
    assert np.linalg.det(truth.wrist_rotation) == pytest.approx(1)


@renders
def test_hands_are_drawn_where_their_landmarks_are(filmed: Path, truths: tuple[Truth, Truth]) -> None:
    for camera, truth in enumerate(truths):
        pictures = pictures_of(filmed / f"camera{camera}/video.mp4")
        assert len(pictures) == len(truth) == 4
        assert truth.hands_seen.mean() > 0.4
        assert gloved(pictures, truth, truth.hands_seen) > 0.9
        moved = Truth(**{**vars(truth), "hands_pixels": truth.hands_pixels + 25})
        assert gloved(pictures, moved, truth.hands_seen) < 0.4


@renders
def test_the_same_scene_gives_the_same_bytes(filmed: Path, tmp_path: Path) -> None:
    film(small_scene(DESK, cameras=2), tmp_path / "again")
    for name in ("camera0/video.mp4", "camera1/video.mp4"):
        assert (tmp_path / "again" / name).read_bytes() == (filmed / name).read_bytes()
    once, again = (load_truth(folder / "camera1/truth.npz") for folder in (filmed, tmp_path / "again"))
    assert all(np.array_equal(vars(once)[name], vars(again)[name], equal_nan=True) for name in vars(once))


@renders
def test_who_stands_has_feet_on_the_floor_and_who_wears_the_camera_sees_hands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.rendered_people.clips.cache_folder", lambda: tmp_path)
    standing, worn = small_scene(STANDING, width=160), small_scene(WORN, width=160)
    made: list[str] = []
    (clip,) = clips_of(standing, on_make=lambda: made.append("standing"))
    assert clips_of(standing, on_make=lambda: made.append("again")) == [clip] and made == ["standing"]
    assert clip.folder == clips_folder(standing) and (clip.folder / "scene.json").exists()
    soles = in_world(clip)[:, [BODY_LANDMARKS.index(f"{side}_heel") for side in ("left", "right")], 2]
    assert ((soles > -0.03) & (soles < 0.1)).all()
    head = in_world(clip)[:, BODY_LANDMARKS.index("nose"), 2]
    assert (head > 0.8 * standing.actors[0].person.height).all()
    (own,) = clips_of(worn)
    truth = own.truth
    assert truth.hands_seen.any() and not truth.body_seen[:, BODY_LANDMARKS.index("nose")].any()
    assert np.ptp(truth.camera_position, axis=0).max() > 0.001
    assert (truth.hands_pixels[:, 0, 0, 0] < truth.hands_pixels[:, 1, 0, 0]).mean() > 0.5


@renders
@pytest.mark.parametrize("side", [0, 1])
def test_fingers_bend_into_the_palm(side: int) -> None:
    rig = ArmRig(body_shape(small_scene(DESK).actors[0].person), side)
    assert rig.landmarks.shape == (21, 3)
    tips = rig.landmarks[[8, 12, 16, 20]] - rig.landmarks[[5, 9, 13, 17]]
    assert (tips @ rig.axes[:, 2] > 0).all(), "at rest they are a little bent"
    assert 0.15 < np.linalg.norm(np.diff(rig.landmarks[[0, 9, 10, 11, 12]], axis=0), axis=1).sum() < 0.24


def gloved(pictures: NDArray[np.uint8], truth: Truth, seen: NDArray[np.bool_]) -> float:
    """The share of landmarks of hands that are drawn green."""
    frames = np.broadcast_to(np.arange(len(truth))[:, None, None], seen.shape)[seen]
    columns, rows = truth.hands_pixels[seen].astype(int).T
    inside = (columns >= 0) & (columns < pictures.shape[2]) & (rows >= 0) & (rows < pictures.shape[1])
    red, green, blue = pictures[frames[inside], rows[inside], columns[inside]].astype(int).T
    return float(((green > red + 25) & (green > blue + 25)).mean())


def pictures_of(video: Path) -> NDArray[np.uint8]:
    with open_video(video) as reader:
        frames = list(reader.frames())
    assert [round(frame.timestamp_ns / 1e6) for frame in frames] == [200 * number for number in range(len(frames))]
    return np.stack([frame.image for frame in frames])


def in_world(clip: Clip) -> NDArray[np.float64]:
    """(frames, 33, 3) the body's landmarks in the world."""
    truth = clip.truth
    turned = np.einsum("fji,fpj->fpi", truth.camera_rotation, truth.body_camera)
    return np.asarray(turned + truth.camera_position[:, None], np.float64)
