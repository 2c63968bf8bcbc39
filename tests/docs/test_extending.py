"""docs/extending.md: its examples are installed as the page says, and each is used for real."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from annotate.checks.catalogue import with_table
from annotate.labels.label_formats import label_format_named
from kinesphere.dataset import open_dataset
from kinesphere.errors import InvalidInput
from storage.catalog import Role
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.publishing.publish import publish
from storage.recordings.segment import Segment
from storage.workspace import Workspace
from tests.support.command import TASK, Command
from tests.support.populated_workspaces import populate
from tests.support.preloaded_command import ROOT
from tests.support.studio_server import new_account, running_studio
from tests.support.video_clips import make_clip

PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
MODULES = {
    found[1]: found[0] for found in re.findall(r"^```python\n(# (\w+\.py)\n.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
}
"""The examples by the names of their files."""
PROJECT = "\n".join(re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
"""The package's pyproject.toml with the lines of all examples."""
BUILT_IN = "both_hands_checks.py"
FRAMES = 70
PLUGIN = "[criteria.plugins]\nidle_share = { doubt = 0.5, fail = 0.9 }\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on the path into which pip has installed the package of the page."""
    folder = tmp_path_factory.mktemp("extending")
    project, site = folder / "acme", folder / "site-packages"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT)
    for name, code in MODULES.items():
        if name != BUILT_IN:
            (project / name).write_text(code)
    words = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site), str(project)]
    subprocess.run([sys.executable, "-m", "pip", "install", *words], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        yield site


@pytest.fixture(scope="module")
def command(site: Path) -> ExtendedCommand:
    """The command in a workspace with a recording of a moving glove, taken by the page's source and submitted."""
    command = ExtendedCommand(Command.in_new_workspace(site.parent / "workspace").workspace, (ROOT, site))
    (site.parent / "glove.toml").write_text(
        TASK.replace('"move"', '"glove"', 1).replace("[labels]", f"{PLUGIN}[labels]")
    )
    command.run("task", "add", str(site.parent / "glove.toml"))
    pictures = site.parent / "pictures"
    pictures.mkdir()
    for number in range(FRAMES):
        assert cv2.imwrite(str(pictures / f"{number:03}.png"), _picture_of_a_glove(number))
    take = ("record", "-t", "glove", "-c", "c001", "--yes", "--source")
    assert "there are no PNG pictures in" in command.error(*take, f"pictures:{site}")
    report = command.json(*take, f"pictures:{pictures}")["report"]
    assert (report["device"], report["frames"]) == ("pictures", FRAMES)
    command.run("submit", "--all")
    return command


def test_every_kind_of_thing_has_an_example_that_takes_one_file() -> None:
    points: dict[str, dict[str, str]] = tomllib.loads(PROJECT)["project"]["entry-points"]
    kinds = ("checks", "sources", "extractors", "engines", "exporters", "label_formats", "pages")
    assert set(points) == {f"kinesphere.{kind}" for kind in kinds}
    targets = [target for named in points.values() for target in named.values()]
    assert {f"{target.split(':')[0]}.py" for target in targets} == MODULES.keys() - {BUILT_IN}
    assert len(targets) == len(MODULES) - 1
    assert PAGE.count("```python\n") == len(MODULES)
    assert all(f"| `{group}` |" in PAGE for group in points)


def test_a_recording_of_the_source_goes_through_extractor_engine_and_plugin(command: ExtendedCommand) -> None:
    listed = {check["check"]: check for check in command.json("checks")}
    assert (
        listed["plugins.idle_share"]["plugin"] == "acme 1.0" and listed["plugins.idle_share"]["direction"] == "at most"
    )
    (outcome,) = command.json("process", "--extractor", "glove", "--engine", "serial")["processed"]
    assert outcome["frames"] == FRAMES
    results = _results(command, outcome["recording"])
    assert results["plugins.idle_share"]["verdict"] == "pass"
    assert "nothing moves in 0% of the frames" in results["plugins.idle_share"]["message"]
    command.run("review", outcome["recording"], "--decision", "accept", "--reviewer", "r1")
    command.run("publish", "gloves")
    arrays = open_dataset(command.workspace / "datasets/gloves").episode(0)
    wrists = arrays["hands_image"][:, 1, 0, :2]
    expected = np.array([_middle_of_the_glove(number) for number in range(FRAMES)]) / (192, 144)
    assert len(wrists) == FRAMES and np.abs(wrists - expected).max() < 0.02
    assert np.isnan(arrays["body_image"]).all()


def test_a_check_of_our_own_is_one_file_in_its_folder(site: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "annotate", checkout / "annotate", ignore=shutil.ignore_patterns("__pycache__"))
    (checkout / "annotate/checks/built_in" / BUILT_IN).write_text(MODULES[BUILT_IN])
    shutil.copy(ROOT / "docs/checks.md", checkout)
    before = Command.in_new_workspace(tmp_path / "workspace")
    before.run("import", str(make_clip(tmp_path / "a.mp4", frames=40)), "-t", "move", "-c", "c001", "--yes")
    before.run("submit", "--all")
    command = CommandOfCheckout(before.workspace, (checkout, ROOT, site))

    (listed,) = [check for check in command.json("checks") if check["check"] == "both_hands_visible_share"]
    assert (listed["direction"], listed["doubt"], listed["fail"]) == ("at least", 0.2, 0)
    command.python("annotate.checks.catalogue", "checks.md")
    page = (checkout / "checks.md").read_text()
    assert "| `both_hands_visible_share` | frames in which both of the contributor's hands are found |" in page
    assert with_table(page) == (ROOT / "docs/checks.md").read_text(), "nothing else has changed"

    (outcome,) = command.json("process", "--extractor", "glove")["processed"]
    result = _results(before, outcome["recording"])["both_hands_visible_share"]
    assert (result["value"], result["verdict"]) == (0, "doubt")
    assert result["message"].endswith("(should be at least 0.2): keep both hands where the camera sees them")


def test_the_exporter_writes_a_list_and_takes_people_out_of_it(
    site: Path, workspace: Workspace, tmp_path: Path
) -> None:
    populate(workspace, {"anna": 2, "ben": 1})
    publish(workspace, "kitchen")
    command = ExtendedCommand(workspace.folder, (ROOT, site))
    made = command.json("export", "kitchen", str(tmp_path / "out"), "--format", "spreadsheet")
    assert (made["format"], made["state"]) == ("spreadsheet", "made")
    listed = tmp_path / "out/episodes.csv"
    assert listed.read_text().count('"anna"') == 2
    assert any("holds 2 episodes of theirs" in trace.what for trace in find_traces(workspace, "anna"))
    erase(workspace, "anna", who="eve")
    assert "anna" not in listed.read_text() and '"ben"' in listed.read_text()
    assert find_traces(workspace, "anna") == []
    erase(workspace, "ben", who="eve")
    assert not listed.exists()


def test_the_label_format_reads_what_it_writes(site: Path, tmp_path: Path) -> None:
    segments = [
        Segment(0, 1_500_000_000, "reach"),
        Segment(
            1_500_000_000, 2_001_000_000, "pour", "left hand", "glass, full", "left", "success", 'says "ah"\nand über'
        ),
    ]
    formats = label_format_named("csv")
    formats.write(segments, tmp_path / "labels.csv")
    assert formats.read(tmp_path / "labels.csv") == segments
    (tmp_path / "other.csv").write_text("start,end\n0,many\n")
    with pytest.raises(InvalidInput, match="is no table of segments"):
        formats.read(tmp_path / "other.csv")


def test_the_page_is_served_and_in_the_navigation_of_its_roles(site: Path, workspace: Workspace) -> None:
    populate(workspace, {"anna": 2})
    may, may_not = (new_account(workspace, f"{role}-1", role) for role in (Role.REVIEWER, Role.ANNOTATOR))
    with running_studio(workspace) as studio:
        with studio.client(token=may) as client:
            assert 'href="/counts"' in client.get("/").text
            shown = client.get("/counts").text
            assert "<h1>Recordings by task</h1>" in shown and ": 2</li>" in shown and "<nav" in shown
        with studio.client(token=may_not) as client:
            assert 'href="/counts"' not in client.get("/").text
            assert client.get("/counts").status_code == 403


@dataclass(frozen=True)
class ExtendedCommand(Command):
    """The command, where the package of the page is installed."""

    paths: tuple[Path, ...]
    """Where modules are looked for."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment that names the workspace and the paths."""
        return super().environment | {"PYTHONPATH": os.pathsep.join(map(str, self.paths))}


class CommandOfCheckout(ExtendedCommand):
    """The command of a changed copy of the repository, the first of the paths; it imports everything anew."""

    def run(self, *words: str, code: int = 0, workspace: bool = True) -> subprocess.CompletedProcess[str]:
        """Run it to its end and hold it to an exit code."""
        return self.python("studio", *words, code=code)

    def python(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a module in the copy."""
        command = [sys.executable, "-m", *words]
        done = subprocess.run(command, cwd=self.paths[0], env=self.environment, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done


def _results(command: Command, recording: str) -> dict[str, Any]:
    return {check["check"]: check for check in command.json("status", recording)["checks"]}


def _middle_of_the_glove(number: int) -> tuple[float, float]:
    return 30 + 2 * number, 70 + 20 * float(np.sin(number / 5))


def _picture_of_a_glove(number: int) -> np.ndarray[Any, Any]:
    """A grey picture, uint8 (144, 192, 3), blue first, with an orange disc."""
    picture = np.full((144, 192, 3), 110, np.uint8)
    x, y = _middle_of_the_glove(number)
    cv2.circle(picture, (round(x), round(y)), 16, (20, 120, 250), cv2.FILLED)
    return picture
