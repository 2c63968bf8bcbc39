"""What real clips say of motion without a known truth: `python -m benchmarks.real_motion [CLIP ...]`.

A person's bones keep their lengths, a hand hangs on its forearm, and who is filmed does not move otherwise because the
video was mirrored, encoded anew, scaled or cropped. Each line says how far a clip's trajectory is from that; the
focal length is assumed once, for the clip as it is, and goes along with what is done to it. Only numbers of the clip
itself count: it works alike for every revision of the extractor, so that two can be compared.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import Trajectory
from pose.extractors.mediapipe_extractor import MediaPipeExtractor
from pose.geometry.intrinsics import assumed_intrinsics
from pose.landmarks import BODY_ELBOWS, BODY_SHOULDERS, BODY_WRISTS, HAND_BONES, MIDDLE_FINGER, WRIST
from pose.networks.models import fetch_clip, hand_model, pose_model
from storage.footage.video_reader import open_video
from studio.commands.output import native_logs_aside, print_table
from tests.support.transformed_videos import Transformation, transform

Floats = NDArray[np.float64]

_SHOWN = 0.8
"""Share of the width and the height that cropping leaves."""
CHANGES: Mapping[str, Transformation] = {
    "mirrored": Transformation(("hflip",)),
    "encoded anew (crf 35)": Transformation(crf=35),
    "scaled to 360p": Transformation(("scale=-2:360",)),
    "cropped by 20 %": Transformation((f"crop=iw*{_SHOWN}:ih*{_SHOWN}",)),
}
_STEP = 3
"""Frames between which a way is measured: a tenth of a second."""


def main() -> None:
    """Print a table a clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path, help="videos; by default the demo's clip")
    clips: list[Path] = parser.parse_args().clips or [fetch_clip()]
    with native_logs_aside():
        extractor = MediaPipeExtractor(pose_model(), hand_model())
        for clip in clips:
            with tempfile.TemporaryDirectory() as folder:
                rows = _rows(extractor, clip, Path(folder))
            print_table(f"{clip.name}, revision {extractor.identity.revision}", ["what", "median", "90 %"], rows)


def _rows(extractor: MediaPipeExtractor, clip: Path, folder: Path) -> list[list[str]]:
    with open_video(clip) as video:
        camera = assumed_intrinsics(video.width, video.height)
    original = _extract(extractor, clip, camera)
    rows = [_row(what, values) for what, values in _of_one_clip(original).items()]
    for name, how in CHANGES.items():
        changed = _extract(extractor, transform(clip, folder / f"{name.split()[0]}.mp4", how), camera)
        apart, turned = _apart(original, changed, mirrored=name == "mirrored")
        rows += [_row(f"{name}: wrists apart, m", apart), _row(f"{name}: hands turned, degrees", turned)]
    return rows


def _extract(extractor: MediaPipeExtractor, clip: Path, camera: Mapping[str, Any]) -> Trajectory:
    with open_video(clip) as video:
        cropped = "cropped" in clip.name
        shown = _SHOWN if cropped else 1.0
        scale = video.width / (2 * camera["cx"] * shown)
        focal = camera["fx"] * scale
        middle = {"cx": video.width / 2, "cy": video.height / 2}
        return extractor.extract(
            video,
            recording="clip",
            contributor="somebody",
            intrinsics={"fx": focal, "fy": focal, **middle, "source": "assumed"},
        )


def _of_one_clip(trajectory: Trajectory) -> dict[str, Floats]:
    arrays = trajectory.arrays
    body, hands, wrists = arrays["body_world"], arrays["hands_world"], arrays["wrist_pose"]
    far, near = np.array(HAND_BONES[:20]).T
    bones = np.linalg.norm(hands[:, :, far] - hands[:, :, near], axis=3).reshape(-1, 20)
    chain = np.linalg.norm(np.diff(hands[:, :, list(MIDDLE_FINGER)], axis=2), axis=3).sum(axis=2)
    forearms = np.linalg.norm(body[:, list(BODY_WRISTS)] - body[:, list(BODY_ELBOWS)], axis=2)
    upper_arms = np.linalg.norm(body[:, list(BODY_ELBOWS)] - body[:, list(BODY_SHOULDERS)], axis=2)
    return {
        "fingers' bones off their median, %": _off(bones),
        "hands' length off its median, %": _off(chain.reshape(-1, 1)),
        "forearms off their median, %": _off(forearms.reshape(-1, 1)),
        "upper arms off their median, %": _off(upper_arms.reshape(-1, 1)),
        "hand's wrist off the forearm's end, pixels": _wrists_apart(trajectory),
        "wrists' way in a tenth of a second, m": _way(wrists[..., :3]),
        "of it along the view, m": _way(wrists[..., 2:3]),
    }


def _off(lengths: NDArray[Any]) -> Floats:
    known = lengths[np.isfinite(lengths).all(axis=1)]
    middle = np.median(known, axis=0) if len(known) else 1.0
    return np.asarray(100 * np.abs(lengths / middle - 1).ravel(), np.float64)


def _wrists_apart(trajectory: Trajectory) -> Floats:
    size = np.array([trajectory.image_width, trajectory.image_height])
    by_hand = trajectory.arrays["hands_image"][:, :, WRIST, :2] * size
    by_body = trajectory.arrays["body_image"][:, list(BODY_WRISTS), :2] * size
    return np.asarray(np.linalg.norm(by_hand - by_body, axis=2).ravel(), np.float64)


def _way(places: NDArray[Any]) -> Floats:
    return np.asarray(np.linalg.norm(places[_STEP:] - places[:-_STEP], axis=2).ravel(), np.float64)


def _apart(one: Trajectory, other: Trajectory, *, mirrored: bool) -> tuple[Floats, Floats]:
    """How far both trajectories' wrists are from each other, in metres, and how their palms differ, in degrees."""
    first = one.arrays["wrist_pose"].astype(np.float64)
    second = other.arrays["wrist_pose"][:, ::-1] if mirrored else other.arrays["wrist_pose"]
    second = second.astype(np.float64).copy()
    if mirrored:
        w, x, y, z = np.moveaxis(second[..., 3:].copy(), -1, 0)
        second[..., 0] *= -1
        second[..., 3:] = np.stack([z, -y, -x, w], axis=-1)  # as kinesphere.transforms.mirror derives it
    frames = min(len(first), len(second))
    first, second = first[:frames], second[:frames]
    cosine = np.abs((first[..., 3:] * second[..., 3:]).sum(axis=-1)).clip(0, 1)
    return np.linalg.norm((first - second)[..., :3], axis=2).ravel(), np.degrees(2 * np.arccos(cosine)).ravel()


def _row(what: str, values: Floats) -> list[str]:
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return [what, "none", ""]
    return [what, f"{np.median(known):.3g}", f"{np.percentile(known, 90):.3g}"]


if __name__ == "__main__":
    main()
