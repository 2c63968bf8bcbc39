"""Extractors by name: an installed package adds one with one file, and its trajectories tell who made them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinesphere.errors import InvalidInput, NotFound
from pose.extractors.extractor import DEFAULT, ExtractorOptions
from pose.extractors.extractor_by_name import open_extractor
from pose.extractors.mediapipe_extractor import MediaPipeExtractor
from storage.footage.video_reader import open_video
from storage.workspace import open_workspace
from tests.support.extension_package import SITE, CommandWithExtensions, install_extension
from tests.support.video_clips import make_clip

EXTRACTOR = """
import numpy as np

from kinesphere.trajectory import ARRAYS, ExtractorIdentity, Trajectory
from pose.geometry.intrinsics import assumed_intrinsics


class Still:
    # Finds two wrists that never move.

    def __init__(self, options):
        self.identity = ExtractorIdentity("still", 1, {}, {"filter": options.track_filter})

    def extract(self, video, *, recording, contributor, intrinsics=None, on_frame=None, report=None):
        times = []
        for frame in video.frames():
            if on_frame is not None:
                on_frame(frame)
            times.append(frame.timestamp_ns)
        arrays = {name: np.full((len(times), *spec.shape), np.nan, np.float32) for name, spec in ARRAYS.items()}
        arrays["timestamp"], arrays["valid"] = np.array(times, np.int64), np.zeros(len(times), np.uint8)
        arrays["body_visibility"][:] = arrays["hand_score"][:] = 0
        arrays["wrist_pose"][:] = (0, 0, 1, 1, 0, 0, 0)
        size = video.width, video.height
        intrinsics = intrinsics or assumed_intrinsics(*size)
        return Trajectory(recording, contributor, self.identity, *size, "relative", intrinsics, arrays)


def open_still(options, on_fetch):
    return Still(options)
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, with a package that adds the extractor `still` and one that it does not hold."""
    folder = tmp_path / SITE
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    points = {"still": "open_still", "absent": "open_absent"}
    return install_extension(folder, "acme-extractors", EXTRACTOR, {"kinesphere.extractors": points})


def test_the_default_is_built_in() -> None:
    assert isinstance(open_extractor(DEFAULT, ExtractorOptions()), MediaPipeExtractor)
    with pytest.raises(NotFound, match=r"no extractor named 'crystal-ball' \(there is: mediapipe\)"):
        open_extractor("crystal-ball", ExtractorOptions())


def test_an_installed_extractor_has_an_identity_of_its_own(installed: Path, tmp_path: Path) -> None:
    smooth, raw = (
        open_extractor("still", ExtractorOptions()),
        open_extractor("still", ExtractorOptions(None, None, "none")),
    )
    default = open_extractor(DEFAULT, ExtractorOptions())
    assert len({one.identity.extractor_id for one in (smooth, raw, default)}) == 3
    with open_video(make_clip(tmp_path / "a.mp4", frames=12)) as video:
        trajectory = smooth.extract(video, recording="r", contributor="c")
    assert (len(trajectory), trajectory.extractor) == (12, smooth.identity)


def test_a_package_that_cannot_be_loaded_is_named(installed: Path) -> None:
    with pytest.raises(InvalidInput, match=r"extractor absent of acme-extractors 1\.0 cannot be loaded"):
        open_extractor("absent", ExtractorOptions())


def test_the_command_processes_with_an_installed_extractor(installed: Path, tmp_path: Path) -> None:
    command = CommandWithExtensions.in_new_workspace(tmp_path / "workspace")
    command.run("import", str(make_clip(tmp_path / "a.mp4", frames=40)), "-t", "move", "-c", "c001", "--yes")
    command.run("submit", "--all")
    told = command.run("process", "--extractor", "crystal-ball", code=2).stderr.replace("│", " ")
    assert "is not one of absent, mediapipe, still" in " ".join(told.split())
    (outcome,) = command.json("process", "--extractor", "still")["processed"]
    assert (outcome["frames"], outcome["frames_with_body"]) == (40, 0)
    workspace = open_workspace(command.workspace)
    extracted = workspace.catalog.trajectory(outcome["recording"])
    workspace.catalog.close()
    expected = open_extractor("still", ExtractorOptions()).identity.extractor_id
    assert extracted is not None and extracted.extractor == expected
