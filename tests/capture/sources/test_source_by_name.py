"""Sources by name: those built in, and those that an installed package adds with one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from capture.recorder.recorder import record
from capture.sources.clip_source import ClipSource
from capture.sources.pattern_source import PatternSource
from capture.sources.source_by_name import SOURCES, open_source
from kinesphere.errors import Conflict, InvalidInput
from storage.footage.video_reader import open_video
from tests.support.extension_package import SITE, CommandWithExtensions, install_extension
from tests.support.video_clips import make_clip

SOURCE = """
import time

import av

from capture.sources.source import CapturedFrame
from kinesphere.errors import Conflict, InvalidInput


class Grey:
    def __init__(self, frames):
        self.name, self.width, self.height, self.frame_rate, self.lost = "grey", 96, 96, 50.0, 0
        self._left = frames

    def frames(self):
        while self._left:
            self._left -= 1
            time.sleep(1 / self.frame_rate)
            yield CapturedFrame(av.VideoFrame(96, 96, "yuv420p"), time.monotonic_ns())

    def close(self):
        self._left = 0


def open_grey(address, criteria):
    if not address.isdigit():
        raise InvalidInput(f"grey:FRAMES takes a number, not '{address}'")
    return Grey(int(address))
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, with a package that adds the source `grey`."""
    folder = tmp_path / SITE
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    points = {"kinesphere.sources": {"grey": "open_grey", "gone": "open_gone"}}
    return install_extension(folder, "acme-cameras", SOURCE, points)


def test_built_in_kinds_are_opened_by_what_a_user_types(tmp_path: Path) -> None:
    assert isinstance(open_source("test"), PatternSource)
    assert isinstance(open_source(f"file:{make_clip(tmp_path / 'a.mp4')}"), ClipSource)
    with pytest.raises(InvalidInput, match="say which clip"):
        open_source("file:")
    with pytest.raises(InvalidInput, match="takes nothing more"):
        open_source("test:640x480")


def test_an_installed_kind_is_recorded_like_any_other(installed: Path, tmp_path: Path) -> None:
    report = record(open_source("grey:7"), tmp_path / "take.mp4")
    assert (report.device, report.frames, report.ended) == ("grey", 7, "source ended")
    assert open_video(tmp_path / "take.mp4").info.frames == 7


def test_the_command_takes_an_installed_kind_and_tells_its_errors(installed: Path, tmp_path: Path) -> None:
    command = CommandWithExtensions.in_new_workspace(tmp_path / "workspace")
    take = ("record", "-t", "move", "-c", "c001", "--yes", "--source")
    assert command.json(*take, "grey:60")["report"]["frames"] == 60
    assert "grey:FRAMES takes a number, not 'many'" in command.error(*take, "grey:many")
    assert "kinds of source: file, gone, grey, opencv, test" in command.error(*take, "gray:60")


def test_no_package_replaces_a_built_in_kind(installed: Path) -> None:
    install_extension(installed, "sly-cameras", SOURCE, {"kinesphere.sources": {"test": "open_grey"}}, "2.0")
    with pytest.raises(Conflict, match=r"source test of sly-cameras 2\.0 has the name of a built-in one"):
        open_source("test")


def test_a_package_that_cannot_be_loaded_is_named(installed: Path) -> None:
    with pytest.raises(InvalidInput, match=r"source gone of acme-cameras 1\.0 cannot be loaded: AttributeError"):
        open_source("gone:1")


def test_two_packages_that_add_the_same_kind_are_both_named(installed: Path) -> None:
    install_extension(installed, "other-cameras", SOURCE, {"kinesphere.sources": {"grey": "open_grey"}}, "2.0")
    assert SOURCES.names().count("grey") == 1
    with pytest.raises(
        Conflict, match=r"source grey of acme-cameras 1\.0, and grey of other-cameras 2\.0; uninstall one"
    ):
        open_source("grey:1")
