"""The demo, as a newcomer runs it, twice."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import kinesphere as ks
from kinesphere.errors import KinesphereError
from storage.footage.video_reader import open_video
from storage.recordings.recording import State
from storage.workspace import open_workspace
from studio.commands.demo_command import TAKES
from studio.commands.demo_command import run as demo_of
from tests.support.command import Command
from tests.support.video_clips import make_clip

pytestmark = [pytest.mark.slow, pytest.mark.real_time]


@dataclass(frozen=True)
class Demo:
    """The demo's folder, and what the first run printed for programs."""

    command: Command
    numbers: dict[str, Any]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    command = Command(tmp_path_factory.mktemp("demo") / "kinesphere-demo")
    return Demo(command, command.json("demo", "--workspace", str(command.workspace)))


def test_the_demo_takes_a_real_clip_to_training_windows(demo: Demo) -> None:
    numbers = demo.numbers
    assert numbers["frames"] == 230 and numbers["dropped_frames"] == 0
    assert numbers["frames_with_body"] >= 200, "the man in front; not the passer-by while he is hidden"
    assert numbers["hands_found"] >= 90
    assert numbers["checks_passed"] == numbers["checks"]
    assert 100 < numbers["bytes_per_frame"] < 1200
    assert numbers["dataset"] == "demo@1" and numbers["windows"] > 50
    assert numbers["seconds"] < 180

    with open_video(Path(numbers["overlay"])) as overlay:
        assert (overlay.info.codec, overlay.info.pixel_format, overlay.info.frames) == ("h264", "yuv420p", 230)
    assert Path(numbers["contact_sheet"]).read_bytes().startswith(b"\x89PNG")
    dataset = ks.open_dataset(numbers["dataset_location"])
    (label,) = dataset.episodes["label"].to_pylist()
    assert label == "move"


def test_run_again_it_prints_for_people_and_publishes_the_next_version(demo: Demo) -> None:
    done = demo.command.run("demo", "--workspace", str(demo.command.workspace))
    assert "demo@2: 2 episodes" in done.stdout
    assert "Three commands to try next" in done.stdout
    assert "Traceback" not in done.stderr


def test_what_it_drew_goes_with_the_recording_that_it_shows(demo: Demo) -> None:
    drawings = {demo.command.workspace / name for name in ("overlay.mp4", "contact-sheet.png")}
    assert all(file.exists() for file in drawings)
    demo.command.run("withdraw", "--contributor", "demo-person", "--yes")
    assert not any(file.exists() for file in drawings)


def test_takes_that_the_gate_refuses_are_told_erased_and_recorded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = make_clip(tmp_path / "nobody.mp4", frames=20)
    monkeypatch.setattr("pose.networks.models.fetch_clip", lambda on_fetch: empty)
    with pytest.raises(KinesphereError, match="the demo's recording was"):
        demo_of(tmp_path / "demo", as_json=True)
    told = " ".join(capsys.readouterr().err.split())
    assert [f"Take {take} was" in told for take in range(1, TAKES + 1)] == [True] * (TAKES - 1) + [False]
    with closing(open_workspace(tmp_path / "demo").catalog) as catalog:
        states = [row.state for row in catalog.recordings()]
    assert states.count(State.ERASED) == TAKES - 1 and len(states) == TAKES
    assert len(list((tmp_path / "demo").rglob("video.*"))) == 1, "the last one can be looked at"


def test_it_leaves_a_workspace_of_ones_own_alone(tmp_path: Path) -> None:
    command = Command.in_new_workspace(tmp_path / "mine")
    before = command.files()
    assert "workspace of your own" in command.error("demo", "--workspace", str(command.workspace))
    assert command.files() == before
