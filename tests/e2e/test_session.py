"""A take as a person lives it, in a real terminal: keys, panel, redo, keep."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from storage.recordings.recording import RecordingFile
from tests.support.command import Command
from tests.support.terminal import Person as Terminal

pytestmark = [pytest.mark.slow, pytest.mark.real_time]


class Person(Terminal):
    """SignedIn in front of a `kinesphere record`."""

    def __init__(self, command: Command, *words: str) -> None:
        super().__init__(command, "record", "-t", "move", "-c", "c001", *words)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command.in_new_workspace(tmp_path / "workspace")


def test_a_take_is_framed_recorded_paused_marked_done_again_and_kept(command: Command) -> None:
    with Person(command, "--source", "test") as person:
        person.reads("I agree to the test.")
        person.reads("type your name or initials")
        person.types("A.B.\n")
        person.reads("Get ready")
        person.reads("Nobody is in view")
        person.types("\n")
        person.reads("begins in 1")
        person.reads("0 dropped")
        person.types("r")
        person.reads("Get ready")
        person.types("\n")
        person.reads("0 dropped")
        person.types("p")
        person.reads("Paused")
        person.types("pm")
        person.reads("marks      1")
        person.types("\n")
        person.reads("Your take: ")
        person.reads("Enter: keep it")
        person.types("\n")
        assert person.ends() == 0
        assert "Next: kinesphere submit" in person.seen

    (row,) = command.json("status")["recordings"]
    folder = command.workspace / "drafts" / row["recording"]
    made = RecordingFile.from_bytes((folder / "recording.json").read_bytes(), "draft")
    assert (made.consent.method, made.consent.signed) == ("typed", "A.B.")
    assert (len(made.origin.pauses_ns), len(made.origin.marks_ns)) == (1, 1)
    assert (made.origin.dropped_frames, made.origin.ended) == (0, "asked")
    assert [path.name for path in folder.parent.iterdir()] == [row["recording"]], "the first take is gone"


def test_nothing_is_kept_of_a_take_that_is_discarded_or_never_begun(command: Command) -> None:
    with Person(command, "--source", "test", "--seconds", "1") as person:
        person.reads("initials")
        person.types("AB\n")
        person.reads("Get ready")
        person.types("\n")
        person.reads("Enter: keep it")
        person.types("d")
        assert person.ends() == 0
        assert "No take was kept" in person.seen

    with Person(command, "--source", "test") as person:
        person.reads("initials")
        person.types("AB\n")
        person.reads("Get ready")
        person.types("q")
        assert person.ends() == 0

    with Person(command, "--source", "test") as person:
        person.reads("initials")
        person.types("\n")
        assert person.ends() == 1
        assert "not agreed" in person.seen
    assert command.json("status")["recordings"] == []
    assert list((command.workspace / "drafts").iterdir()) == []


def test_ctrl_c_stops_the_take_and_keeps_it(command: Command) -> None:
    with Person(command, "--source", "test") as person:
        person.reads("initials")
        person.types("AB\n")
        person.reads("Get ready")
        person.types("\n")
        person.reads("0 dropped")
        time.sleep(1)
        person.types("\x03")
        person.reads("Enter: keep it")
        person.types("\x03")
        assert person.ends() == 0
    (row,) = command.json("status")["recordings"]
    assert row["frames"] > 20


def test_a_clip_that_ends_before_the_take_is_told(command: Command, tmp_path: Path) -> None:
    from tests.support.video_clips import make_clip

    with Person(command, "--source", f"file:{make_clip(tmp_path / 'clip.mp4', frames=10)}") as person:
        person.reads("initials")
        person.types("AB\n")
        assert person.ends() == 1
        assert "ended before the take began" in " ".join(person.seen.split())
