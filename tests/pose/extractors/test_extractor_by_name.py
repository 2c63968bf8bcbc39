"""Extractors by name: an installed package adds one with one file, and its trajectories tell who made them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from annotate.proposals.proposals import propose
from annotate.signals.signals import signals
from kinesphere.dataset import open_dataset
from kinesphere.errors import InvalidInput, NotFound
from pose.extractors.extractor import DEFAULT, ExtractorOptions
from pose.extractors.extractor_by_name import open_extractor
from pose.extractors.mediapipe_extractor import MediaPipeExtractor
from storage.footage.video_reader import open_video
from storage.workspace import open_workspace
from tests.support.extension_package import SITE, CommandWithExtensions, install_extension
from tests.support.video_clips import make_clip

EXTRACTOR = """
from dataclasses import replace

import numpy as np

from kinesphere.trajectory import BASIC_ARRAYS, ArraySpec, ExtractorIdentity, Trajectory, Valid
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
        arrays = {name: np.full((len(times), *spec.shape), np.nan, np.float32) for name, spec in BASIC_ARRAYS.items()}
        arrays["timestamp"], arrays["valid"] = np.array(times, np.int64), np.zeros(len(times), np.uint8)
        arrays["body_visibility"][:] = arrays["hand_score"][:] = 0
        arrays["wrist_pose"][:] = (0, 0, 1, 1, 0, 0, 0)
        size = video.width, video.height
        intrinsics = intrinsics or assumed_intrinsics(*size)
        return Trajectory(recording, contributor, self.identity, *size, "relative", intrinsics, arrays)


class Elbows(Still):
    # Finds an angle for each elbow, and nothing else.

    def __init__(self, options):
        self.identity = ExtractorIdentity("elbows", 1, {}, {})

    def extract(self, video, **known):
        found = super().extract(video, **known)
        times = found.arrays["timestamp"]
        angles = np.stack([np.sin(times / 1e9), np.cos(times / 1e9)], axis=1).astype(np.float32)
        spec = ArraySpec("elbow_angle", "float32", (2,), ("frame", "hand"), "rad", "angle of each elbow")
        valid = np.full(len(times), Valid.BODY | Valid.LEFT_HAND | Valid.RIGHT_HAND, np.uint8)
        return replace(
            found,
            arrays={"timestamp": times, "valid": valid, "elbow_angle": angles},
            specs={name: BASIC_ARRAYS[name] for name in ("timestamp", "valid")} | {"elbow_angle": spec},
        )


def open_still(options, on_fetch):
    return Still(options)


def open_elbows(options, on_fetch):
    return Elbows(options)
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, with a package that adds the extractor `still` and one that it does not hold."""
    folder = tmp_path / SITE
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    points = {"still": "open_still", "elbows": "open_elbows", "absent": "open_absent"}
    return install_extension(folder, "acme-extractors", EXTRACTOR, {"kinesphere.extractors": points})


def test_the_default_is_built_in() -> None:
    assert isinstance(open_extractor(DEFAULT, ExtractorOptions()), MediaPipeExtractor)
    with pytest.raises(NotFound, match=r"no extractor named 'crystal-ball' \(there is: mediapipe, rtmw\)"):
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
    assert "is not one of absent, elbows, mediapipe, rtmw, still" in " ".join(told.split())
    (outcome,) = command.json("process", "--extractor", "still")["processed"]
    assert (outcome["frames"], outcome["frames_with_body"]) == (40, 0)
    workspace = open_workspace(command.workspace)
    extracted = workspace.catalog.trajectory(outcome["recording"])
    workspace.catalog.close()
    expected = open_extractor("still", ExtractorOptions()).identity.extractor_id
    assert extracted is not None and extracted.extractor == expected


def test_arrays_of_its_own_go_all_the_way(installed: Path, tmp_path: Path) -> None:
    command = CommandWithExtensions.in_new_workspace(tmp_path / "workspace")
    command.run("import", str(make_clip(tmp_path / "a.mp4", frames=40)), "-t", "move", "-c", "c001", "--yes")
    command.run("submit", "--all")
    (outcome,) = command.json("process", "--extractor", "elbows")["processed"]
    assert (outcome["frames"], outcome["frames_with_body"], outcome["state"]) == (40, 40, "flagged")
    checks = {check["check"]: check for check in command.json("status", outcome["recording"])["checks"]}
    assert checks["too_far"]["verdict"] == "doubt"
    assert checks["too_far"]["message"] == (
        "too_far cannot be measured: extractor 'elbows' gives no array 'body_image'"
    )
    assert checks["person_visible_share"]["verdict"] == "pass"
    refused = command.error("blur", outcome["recording"])
    assert "its extractor gives no 'body_image'" in refused
    command.run("review", outcome["recording"], "--decision", "accept")
    command.run("publish", "elbows")

    dataset = open_dataset(command.workspace / "datasets/elbows")
    angles = dataset.episode(0)["elbow_angle"]
    seconds = dataset.episode(0, ["timestamp"])["timestamp"] / 1e9
    np.testing.assert_allclose(angles, np.stack([np.sin(seconds), np.cos(seconds)], axis=1), atol=1e-6)
    (batch,) = dataset.stream(16, 100, keys=["elbow_angle"])
    for frame, window in zip(batch["frame"], batch["elbow_angle"], strict=True):
        np.testing.assert_array_equal(window, angles[frame : frame + 16])

    assert "elbow_angle" in command.run("info", "elbows", "--statistics").stdout
    mean = open_dataset(command.workspace / "datasets/elbows").statistics(compute=False).arrays["elbow_angle"].mean
    np.testing.assert_allclose(mean, angles.mean(axis=0), atol=1e-6)

    command.run("export", "elbows", "--format", "parquet", str(tmp_path / "tables"))
    table = pq.read_table(tmp_path / "tables/frames")
    assert table.column_names == ["episode", "frame", "timestamp", "valid", "elbow_angle"]
    np.testing.assert_array_equal(np.array(table["elbow_angle"].to_pylist(), np.float32), angles)
    assert table.schema.field("elbow_angle").metadata[b"names"] == b'["left", "right"]'
    command.run("export", "elbows", "--format", "lerobot", "--rate", "10", str(tmp_path / "lerobot"))
    features = json.loads((tmp_path / "lerobot/meta/info.json").read_text())["features"]
    assert features["observation.elbow_angle"]["names"] == ["left", "right"]
    command.run("export", "elbows", "--format", "kinesphere", str(tmp_path / "copy"))
    copied = open_dataset(tmp_path / "copy/datasets/elbows").episode(0)["elbow_angle"]
    np.testing.assert_array_equal(copied, angles)

    workspace = open_workspace(command.workspace)
    shown = signals(workspace, outcome["recording"])  # the player draws what there is: nothing
    proposed = propose(workspace, outcome["recording"])
    workspace.catalog.close()
    assert np.isnan(shown.values("motion energy")).all() and not shown.values("body visibility").any()
    assert all(proposal.label is None for proposal in proposed)
    command.run("erase", "c001", "--yes")
