"""A disk that holds up whoever writes to it costs no frame: nobody who takes or encodes frames waits for it."""

from __future__ import annotations

import os
import threading
import time
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from capture.recorder import frame_queue, write_behind
from capture.recorder.recorder import record
from capture.recorder.write_behind import WriteBehind
from capture.sources.numbered_pattern import read_counter
from capture.sources.pattern_source import PatternSource
from kinesphere.objects import local_files
from storage.footage.video_reader import open_video


class SlowFile(FileIO):
    """A file on a disk that is busy for seconds with what it was told to flush."""

    seconds = 0.0

    def write(self, data: Any) -> int:
        """Write, when the disk has time."""
        time.sleep(self.seconds)
        return super().write(data)


def open_slow(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    def slow(self: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if mode == "wb" and named.get("buffering") == 0:
            return SlowFile(self, "w")
        return real(self, mode, *arguments, **named)

    real = Path.open
    monkeypatch.setattr(Path, "open", slow)
    monkeypatch.setattr(SlowFile, "seconds", seconds)


@pytest.mark.real_time
def test_no_frame_is_lost_on_a_disk_that_is_slower_than_all_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_queue, "_SECONDS", 0.8)  # so many seconds of frames wait for the encoder, at most
    open_slow(monkeypatch, 1.2)  # for each of some two writes a second
    flush = local_files._flush

    def slow_flush(descriptor: int) -> None:
        time.sleep(0.7)
        flush(descriptor)

    monkeypatch.setattr(local_files, "_flush", slow_flush)
    report = record(PatternSource(160, 120, 30), tmp_path / "take.mp4", seconds=2.5)
    assert report.dropped == 0
    found = [read_counter(frame.image) for frame in open_video(tmp_path / "take.mp4").frames()]
    assert found == list(range(report.frames)) and report.frames >= 60


def test_bytes_come_in_order_and_a_writer_waits_only_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_behind, "MOST_BYTES", 1000)
    file = WriteBehind(tmp_path / "file")
    for number in range(300):
        file.write(bytes([number % 256]) * 100)
    file.close()
    file.close()
    assert (tmp_path / "file").read_bytes() == b"".join(bytes([number % 256]) * 100 for number in range(300))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_told_to_whoever_writes_next(tmp_path: Path) -> None:
    (tmp_path / "file").symlink_to("/dev/full")
    file = WriteBehind(tmp_path / "file")
    with pytest.raises(OSError, match=os.strerror(28)):
        for _ in range(1000):
            file.write(b"x")
            time.sleep(0.001)
    with pytest.raises(OSError, match=os.strerror(28)):
        file.close()
    assert "disk" not in {thread.name for thread in threading.enumerate()}
