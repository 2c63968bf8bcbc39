"""When frames are played: an MP4's index gives what FFmpeg finds in it, or else the video is read through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinesphere.errors import CorruptObject, InvalidVideo
from kinesphere.objects.store import Objects, open_objects
from storage.footage import frame_edges as frame_edges_module
from storage.footage.frame_edges import frame_edges
from storage.footage.mp4_boxes import NoIndex
from storage.footage.mp4_index import read_frame_index
from storage.footage.video_reader import open_video
from tests.support.video_clips import make_clip, uneven_times

BY_INDEX: dict[str, dict[str, Any]] = {
    "uneven": {},
    "B-frames": {"bf": "3"},
    "index first": {"bf": "2", "muxer": {"movflags": "faststart"}},
    "begins late": {"bf": "3", "start": 6000},
    "no edit list": {"bf": "3", "muxer": {"use_editlist": "0"}},
    "negative offsets": {"bf": "0", "muxer": {"movflags": "negative_cts_offsets"}},
    "one frame": {"times": [0]},
}
READ_THROUGH: dict[str, dict[str, Any]] = {
    "cut by an edit list": {"shift_packets": -9000, "bf": "3"},
    "fragmented": {"muxer": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}},
    "pictures before their decoding": {"bf": "3", "muxer": {"movflags": "negative_cts_offsets", "use_editlist": "0"}},
}


def stored(folder: Path, **options: Any) -> Objects:
    make_clip(folder / "video.mp4", **({"times": uneven_times(60), "preset": "ultrafast"} | options))
    return open_objects(folder)


@pytest.mark.parametrize("name", BY_INDEX)
def test_the_index_alone_tells_when_frames_are_played(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = stored(tmp_path, **BY_INDEX[name])
    read_through = frame_edges_module.read_through(objects, "video.mp4")
    monkeypatch.setattr(frame_edges_module, "read_through", lambda *_: pytest.fail("the video was read through"))
    edges = frame_edges(objects, "video.mp4")
    assert edges.dtype == np.float64 and (np.diff(edges) > 0).all()
    assert np.abs(edges - read_through).max() < 1
    assert np.abs(edges[:-1] - edges[0] - open_video(tmp_path / "video.mp4").times).max() < 1


@pytest.mark.parametrize("name", READ_THROUGH)
def test_a_video_without_one_index_is_read_through(tmp_path: Path, name: str) -> None:
    objects = stored(tmp_path, **READ_THROUGH[name])
    with pytest.raises(NoIndex):
        read_frame_index(lambda start, stop: objects.get("video.mp4", (start, stop)), objects.size("video.mp4"))
    edges = frame_edges(objects, "video.mp4")
    assert np.abs(edges[:-1] - edges[0] - open_video(tmp_path / "video.mp4").times).max() < 1


def test_a_late_beginning_is_kept(tmp_path: Path) -> None:
    edges = frame_edges(stored(tmp_path, start=6000, times=[0, 3000, 6000]), "video.mp4")
    # FFmpeg 8 rounds the empty edit to the movie's clock, which has milliseconds; FFmpeg 9 does not.
    assert edges[0] == pytest.approx(2e9 / 30, abs=1e6)
    assert np.diff(edges[:3]).tolist() == pytest.approx([1e9 / 30, 1e9 / 30])


def test_little_is_read_of_a_long_video(tmp_path: Path) -> None:
    objects = stored(tmp_path, times=list(range(0, 3000 * 3000, 3000)), size=(64, 64), muxer={"movflags": "faststart"})
    read: list[int] = []

    def counted(start: int, stop: int) -> bytes:
        read.append(stop - start)
        return objects.get("video.mp4", (start, stop))

    index = read_frame_index(counted, objects.size("video.mp4"))
    assert len(index.ticks) == 3000
    assert len(read) <= 4 and sum(read) < 40_000 < objects.size("video.mp4")


def test_a_damaged_index_is_noticed_or_gives_some_times(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "video.mp4", times=uneven_times(20), bf="2").read_bytes()
    index = whole.find(b"moov")
    noticed = 0
    for place in range(index, len(whole) - 4, 3):
        content = whole[:place] + b"\xff\xff\xff\xff" + whole[place + 4 :]

        def read(start: int, stop: int, content: bytes = content) -> bytes:
            return content[start:stop]

        try:
            found = read_frame_index(read, len(content))
        except NoIndex:
            noticed += 1
        else:
            assert 0 < len(found.ticks) <= 1 << 24
    assert noticed > 50


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    for content in (b"", b"x", b"no video at all" * 100):
        objects.put("video.mp4", content)
        with pytest.raises(InvalidVideo, match=r"video\.mp4"):
            frame_edges(objects, "video.mp4")
    with pytest.raises(CorruptObject, match=r"'nowhere\.mp4' is missing"):
        frame_edges(objects, "nowhere.mp4")
