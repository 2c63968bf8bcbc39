"""Bad input: each gives one clear line and exit code 1, and leaves nothing half-written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import video_clips as clips
from tests.support.command import TASK, Command


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command.in_new_workspace(tmp_path / "workspace")


def import_(command: Command, video: Path) -> str:
    return command.error("import", str(video), "--task", "move", "--contributor", "c001", "--yes")


def test_what_is_no_video_is_refused_by_import(command: Command, tmp_path: Path) -> None:
    before = command.files()
    text = tmp_path / "text.mp4"
    text.write_text("this is a text file\n" * 1000)
    empty = tmp_path / "empty.mp4"
    empty.touch()
    whole = clips.make_clip(tmp_path / "whole.mp4", frames=60)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    sound = clips.make_sound(tmp_path / "sound.mp4")

    assert "text.mp4 is not a video" in import_(command, text)
    assert "empty.mp4 is empty (0 bytes)" in import_(command, empty)
    assert "cut.mp4 is cut off" in import_(command, cut)
    assert "sound.mp4 has no video in it" in import_(command, sound)
    assert "cannot read" in import_(command, tmp_path / "none.mp4")
    assert "cannot read" in import_(command, tmp_path)

    assert command.files() == before
    assert command.json("status")["recordings"] == []


def test_one_bad_video_among_good_ones_does_not_lose_the_good(command: Command, tmp_path: Path) -> None:
    good = clips.make_clip(tmp_path / "good.mp4", frames=30)
    bad = tmp_path / "bad.mp4"
    bad.touch()
    done = command.run("import", str(bad), str(good), "-t", "move", "-c", "c001", "--yes", code=1)
    assert "error: " in done.stderr and "bad.mp4" in done.stderr
    assert len(command.json("status")["recordings"]) == 1


def test_names_that_are_not_known_are_refused(command: Command, tmp_path: Path) -> None:
    clip = clips.make_clip(tmp_path / "clip.mp4", frames=30)
    words = ["import", str(clip), "--yes"]
    assert "no contributor named 'nobody' (there is: c001)" in command.error(*words, "-t", "move", "-c", "nobody")
    assert "no task named 'nothing' (there is: move)" in command.error(*words, "-t", "nothing", "-c", "c001")
    assert "no recording named" in command.error("status", "../../etc/passwd")
    assert "no recording named" in command.error("process", "20261123-000000-00000000")
    assert "no recording named" in command.error("submit", "20261123-000000-00000000")
    assert "no dataset named 'nothing'" in command.error("info", "nothing")
    assert "no dataset named 'nothing'" in command.error("versions", "nothing")
    assert "cannot name a dataset" in command.error("publish", "../x")
    assert "names no version" in command.error("info", "kitchen@latest")


def test_consent_is_never_assumed(command: Command, tmp_path: Path) -> None:
    clip = clips.make_clip(tmp_path / "clip.mp4", frames=30)
    assert "--yes" in command.error("import", str(clip), "-t", "move", "-c", "c001")
    assert "--yes" in command.error("record", "--source", "test", "--seconds", "1", "-t", "move", "-c", "c001")


def test_a_task_file_with_a_typo_is_refused_and_adds_nothing(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "typo.toml"
    file.write_text(TASK.replace("instructions", "instructoins"))
    assert "'instructoins' is not known; did you mean 'instructions'?" in command.error("task", "add", str(file))
    assert [task["version"] for task in command.json("task", "list")] == [1]


def test_a_workspace_of_a_newer_release_is_refused_by_every_command(command: Command) -> None:
    file = command.workspace / "workspace.toml"
    file.write_text(file.read_text().replace("format_version = 1", "format_version = 99"))
    for words in (["status"], ["process"], ["submit", "--all"], ["publish", "x"], ["info", "x"], ["task", "list"]):
        assert "newer kinesphere (format 99" in command.error(*words)


def test_a_folder_that_is_no_workspace_is_told_with_the_next_step(tmp_path: Path) -> None:
    assert "kinesphere init" in Command(tmp_path).error("status")


def test_a_source_that_is_not_there_is_refused(command: Command, tmp_path: Path) -> None:
    before = command.files()
    words = ["record", "--seconds", "1", "-t", "move", "-c", "c001", "--yes", "--source"]
    assert "none.mp4" in command.error(*words, f"file:{tmp_path / 'none.mp4'}")
    assert "no camera" in command.error(*words, "A camera that nobody has")
    assert command.files() == before


def test_wrong_usage_exits_with_2(command: Command) -> None:
    command.run("import", code=2)
    command.run("process", "--engine", "steam", code=2)
    command.run("no-such-command", code=2)


def test_errors_for_machines_are_json(command: Command) -> None:
    import json

    done = command.run("info", "nothing", "--json", code=1)
    assert json.loads(done.stdout)["kind"] == "NotFound"


def leave_free(disk: Path, space: int) -> None:
    """Fill a disk with one file until only `space` bytes are free."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    statistics = os.statvfs(disk)
    filler.write_bytes(b"\0" * max(0, statistics.f_bavail * statistics.f_frsize - space))


def test_a_full_disk_is_told_and_leaves_nothing(small_disk: Path, body_clip: Path) -> None:
    command = Command.in_new_workspace(small_disk / "workspace")
    before = command.files()
    leave_free(small_disk, 100_000)
    assert "no space left" in import_(command, body_clip).lower()
    assert command.files() == before
    assert command.json("status")["recordings"] == []

    leave_free(small_disk, 4096)
    assert "no space left" in command.error("init", str(small_disk / "another")).lower()
    assert not (small_disk / "another").exists()


def test_a_disk_that_fills_while_recording_is_told_and_the_take_is_recovered(small_disk: Path) -> None:
    command = Command.in_new_workspace(small_disk / "workspace")
    leave_free(small_disk, 150_000)
    words = ["record", "--source", "test", "--seconds", "6", "-t", "move", "-c", "c001", "--yes"]
    told = command.error(*words)
    assert "no space left on device; free some space" in told
    assert "kept; then run: kinesphere status" in told
    assert "waits for the next start" in command.run("status").stdout
    (small_disk / "filler").unlink()
    assert "was recovered" in command.run("status").stdout
    (row,) = command.json("status")["recordings"]
    assert (row["state"], row["frames"] > 10) == ("draft", True)


def test_a_disk_that_fills_while_processing_is_told_and_the_recording_still_waits(
    small_disk: Path, tmp_path: Path
) -> None:
    command = Command.in_new_workspace(small_disk / "workspace")
    clip = clips.make_clip(tmp_path / "clip.mp4", frames=40)
    command.run("import", str(clip), "-t", "move", "-c", "c001", "--yes")
    command.run("submit", "--all")
    before = command.files()
    leave_free(small_disk, 8192)
    assert "no space left" in command.error("process").lower()
    (small_disk / "filler").unlink()
    assert command.json("status")["recordings"][0]["state"] == "submitted"
    assert not [name for name in command.files() - before if name.endswith(".zarr/zarr.json")]
    assert command.json("process")["failed"] == []
