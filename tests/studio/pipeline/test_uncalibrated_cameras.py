"""What a recording's file or camera says of the lens reaches its trajectory, and else the focal length is assumed."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from capture.drafts.outbox import submit
from kinesphere.shards.shard import Shard
from pose.engines.threads_engine import Threads
from pose.geometry.intrinsics import assumed_intrinsics
from storage.recordings.consent import Agreement
from storage.recordings.recording import RecordingFile
from storage.workspace import Workspace
from studio.commands.contributors.import_command import import_take
from studio.pipeline.process import Outcome, process, waiting
from tests.support.phone_video import WHOLE_NUMBER, metadata_box, with_metadata
from tests.support.submitted_takes import make_workspace
from tests.support.video_clips import make_clip


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "workspace")


def imported(place: Workspace, video: Path) -> RecordingFile:
    return import_take(place, video, task="move", contributor="c001", agreement=Agreement("flag"), quiet=True)


def intrinsics_of(place: Workspace, draft: RecordingFile) -> Mapping[str, Any]:
    submit(place, draft.recording)
    (outcome,) = process(place, waiting(place), engine=Threads(1))
    assert isinstance(outcome, Outcome)
    found: Mapping[str, Any] = Shard(place.objects, outcome.shard).attributes["trajectories"][0]["intrinsics"]
    return found


def test_the_lens_of_a_phone_is_read_when_its_video_is_imported(place: Workspace, tmp_path: Path) -> None:
    lens = metadata_box(WHOLE_NUMBER, struct.pack(">i", 13))
    draft = imported(place, with_metadata(make_clip(tmp_path / "a.mp4"), tmp_path / "phone.mov", lens))
    assert draft.origin.focal_length_35mm == 13
    stored = place.drafts / draft.recording
    assert b"apple" not in (stored / "video.mp4").read_bytes(), "nothing else of the metadata is kept"
    found = intrinsics_of(place, draft)
    assert (found["source"], found["from"]) == ("estimated", "container")
    assert found["fx"] == pytest.approx(13 / 43.27 * 1.25 * 192)
    assert found["fx_sd"] == pytest.approx(0.1 * found["fx"])


def test_a_camera_is_known_by_the_name_that_the_recording_keeps(place: Workspace, tmp_path: Path) -> None:
    draft = imported(place, make_clip(tmp_path / "clip.mp4", size=(320, 180)))
    file = place.drafts / draft.recording / "recording.json"
    described = json.loads(file.read_text())
    described["origin"] |= {"kind": "camera", "device": "HD Pro Webcam C920 (046d:082d)"}
    file.write_text(json.dumps(described))
    found = intrinsics_of(place, draft)
    assert (found["source"], found["from"]) == ("estimated", "camera name")
    assert found["fx"] == pytest.approx(1443.4 / 6, rel=0.001)


def test_a_video_that_says_nothing_is_assumed_and_says_how_well(place: Workspace, tmp_path: Path) -> None:
    draft = imported(place, make_clip(tmp_path / "clip.mp4"))
    assert draft.origin.focal_length_35mm is None
    assert intrinsics_of(place, draft) == assumed_intrinsics(192, 144)
