"""Encoders are tried, not assumed: what does not work here is not used, and what does gives every frame."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from capture.recorder import hardware_encoders as hardware
from capture.recorder.h264_encoder import EncoderSettings, live_settings
from capture.recorder.hardware_encoders import encoder_for, works
from capture.recorder.recorder import record
from capture.sources.numbered_pattern import read_counter
from capture.sources.pattern_source import PatternSource
from storage.footage.video_reader import open_video


def test_an_encoder_that_works_is_told_from_those_that_do_not() -> None:
    assert works(EncoderSettings.software("ultrafast", 20), 320, 240, 30)
    for codec in ("h264_nvenc", "h264_amf", "no_such_encoder"):
        if codec != "no_such_encoder" and Path("/dev/nvidia0").exists():
            continue
        assert not works(EncoderSettings.hardware(codec, 320, 240, 30), 320, 240, 30)
    assert "disk" not in {thread.name for thread in threading.enumerate()}, "what was begun for it has ended"


def test_an_encoder_that_gives_another_codec_or_is_too_slow_is_not_used() -> None:
    assert not works(EncoderSettings.hardware("mpeg4", 320, 240, 30), 320, 240, 30)
    assert not works(EncoderSettings.software("placebo", 0), 1280, 720, 240)


def test_without_hardware_libx264_is_used_and_with_it_the_take_is_as_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "_BY_PLATFORM", {})
    monkeypatch.setattr(hardware, "_FASTER_THAN_CAMERA", 0.01)  # the machine may be busy
    encoder_for.cache_clear()
    assert encoder_for(320, 240, 30) == live_settings(320, 240, 30)
    # "libx264rgb" and friends are no chips; libx264 under the settings of one goes the same way through the recorder
    for platform in ("linux", "darwin", "win32"):
        monkeypatch.setitem(hardware._BY_PLATFORM, platform, ("h264_no_such_chip", "libx264"))
    encoder_for.cache_clear()
    try:
        report = record(PatternSource(320, 240), tmp_path / "take.mp4", seconds=1)
    finally:
        encoder_for.cache_clear()
    assert (report.encoder, report.frames, report.dropped) == ("libx264", 30, 0)
    assert [read_counter(frame.image) for frame in open_video(tmp_path / "take.mp4").frames()] == list(range(30))
