"""The demo, as a newcomer runs it, twice."""

from __future__ import annotations

from pathlib import Path

import pytest

import storage as ks
from storage.video import open_video
from tests.command import Command

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Command:
    return Command(tmp_path_factory.mktemp("demo") / "kinesphere-demo")


def test_the_demo_takes_a_real_clip_to_training_windows(demo: Command) -> None:
    numbers = demo.json("demo", "--workspace", str(demo.workspace))
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


def test_run_again_it_prints_for_people_and_publishes_the_next_version(demo: Command) -> None:
    done = demo.run("demo", "--workspace", str(demo.workspace))
    assert "demo@2: 2 episodes" in done.stdout
    assert "Three commands to try next" in done.stdout
    assert "Traceback" not in done.stderr


def test_what_it_drew_goes_with_the_recording_that_it_shows(demo: Command) -> None:
    drawings = {demo.workspace / name for name in ("overlay.mp4", "contact-sheet.png")}
    assert all(file.exists() for file in drawings)
    demo.run("withdraw", "--contributor", "demo-person", "--yes")
    assert not any(file.exists() for file in drawings)


def test_it_leaves_a_workspace_of_ones_own_alone(tmp_path: Path) -> None:
    command = Command.in_new_workspace(tmp_path / "mine")
    before = command.files()
    assert "workspace of your own" in command.error("demo", "--workspace", str(command.workspace))
    assert command.files() == before
