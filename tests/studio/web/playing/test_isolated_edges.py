"""Videos without an index are read for the player in a process of their own, and not in the server."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from kinesphere.errors import InvalidVideo
from kinesphere.objects.store import open_objects
from kinesphere.video.video_keys import video_key
from storage.footage import frame_edges as frame_edges_module
from storage.footage.frame_edges import read_through
from storage.workspace import Workspace
from studio.web.playing.isolated_edges import read_through_apart
from studio.web.playing.media_routes import Media
from tests.support.playable_recordings import add_played
from tests.support.video_clips import make_clip, uneven_times

FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def test_a_fragmented_video_is_read_elsewhere_with_the_same_result(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", times=uneven_times(50), g="10", bf="0", muxer=FRAGMENTED)
    recording = add_played(workspace, clip)
    row, key = workspace.catalog.recording(recording), video_key(recording)
    expected = read_through(workspace.objects, key)
    monkeypatch.setattr(frame_edges_module, "read_through", lambda *_: pytest.fail("the server read it"))
    np.testing.assert_array_equal(Media(workspace).edges(row), expected)


def test_what_is_no_video_is_told(tmp_path: Path) -> None:
    objects = open_objects(tmp_path / "store", create=True)
    objects.put("recordings/r/video.mp4", os.urandom(4096))
    with pytest.raises(InvalidVideo, match=r"recordings/r/video\.mp4 is not a video that can be read"):
        read_through_apart(objects, "recordings/r/video.mp4")
