"""Engines by name: those built in, and one that an installed package adds with one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinesphere.errors import InvalidInput, NotFound
from pose.engines.engine_by_name import make_engine
from pose.engines.ray_engine import RayCluster
from pose.engines.threads_engine import Threads
from tests.support.extension_package import SITE, CommandWithExtensions, install_extension
from tests.support.video_clips import make_clip

ENGINE = """
class OneByOne:
    runs_here = True

    def __init__(self, workers):
        self.workers = workers

    def run(self, work, items, on_frame):
        print("one by one, whatever is asked:", self.workers)
        for item in items:
            yield work(item, on_frame)

wrong = 3
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, with a package that adds the engine `one-by-one` and one that is none."""
    folder = tmp_path / SITE
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    points = {"one-by-one": "OneByOne", "wrong": "wrong"}
    return install_extension(folder, "acme-engines", ENGINE, {"kinesphere.engines": points})


def test_built_in_engines_are_made_by_name() -> None:
    assert isinstance(make_engine("local", 3), Threads)
    assert isinstance(make_engine("ray"), RayCluster)
    with pytest.raises(NotFound, match=r"no engine named 'steam' \(there is: local, ray\).*kinesphere\.engines"):
        make_engine("steam")


def test_an_installed_engine_runs_the_work(installed: Path) -> None:
    engine = make_engine("one-by-one", 2)
    assert list(engine.run(lambda item, on_frame: item * item, [1, 2, 3], lambda _frames=1: None)) == [1, 4, 9]


def test_what_makes_no_engine_is_told_with_its_package(installed: Path) -> None:
    with pytest.raises(InvalidInput, match=r"engine wrong of acme-engines 1\.0 is int"):
        make_engine("wrong")


def test_the_command_takes_an_installed_engine(installed: Path, tmp_path: Path) -> None:
    command = CommandWithExtensions.in_new_workspace(tmp_path / "workspace")
    command.run("import", str(make_clip(tmp_path / "a.mp4", frames=30)), "-t", "move", "-c", "c001", "--yes")
    command.run("submit", "--all")
    told = command.run("process", "--engine", "steam", code=2).stderr.replace("│", " ")
    assert "is not one of local, one-by-one, ray, wrong" in " ".join(told.split())
    shown = command.run("process", "--engine", "one-by-one", "--workers", "5").stdout
    assert "one by one, whatever is asked: 5" in shown and "Processed" in shown
