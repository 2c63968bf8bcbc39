"""Takes that were cut short: what there is of them becomes a draft at the next start, and nothing else does."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from capture.drafts.outbox import adopt_drafts, submit, take
from capture.drafts.unfinished import Leftover, recover
from capture.recorder.recorder import journal_path, partial_path
from capture.sources.numbered_pattern import read_counter
from kinesphere.errors import StorageFailed
from kinesphere.objects.local_files import staged_path
from kinesphere.video.video_keys import video_key
from storage.catalog import Catalog
from storage.footage.video_reader import open_video
from storage.recordings.consent import Agreement
from storage.recordings.recording import Origin, RecordingFile, State
from storage.workspace import Workspace
from tests.support.command import Command
from tests.support.submitted_takes import make_take, make_workspace
from tests.support.video_clips import make_clip


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Workspace]:
    made = make_workspace(tmp_path / "workspace")
    yield made
    made.catalog.close()


class Crash(BaseException):
    """Stands for the end of the process: nothing of ours catches it."""


def crash(workspace: Workspace, kind: str, monkeypatch: pytest.MonkeyPatch, *, content: Path | None = None) -> Path:
    """Leave the folder of a take as a crash in its middle leaves it; gives the folder."""

    def capture(video: Path) -> Origin:
        if content is not None:
            partial_path(video).write_bytes(content.read_bytes())
        raise Crash

    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr("shutil.rmtree", lambda *_, **__: None)  # a process that is gone removes nothing
        take(workspace, kind=kind, task="move", contributor="c001", agreement=Agreement("typed"), capture=capture)  # type: ignore[arg-type]
    return next(workspace.drafts.glob("*.partial"))


def test_a_take_cut_short_by_a_kill_is_recovered_with_its_consent_and_told(tmp_path: Path) -> None:
    command = Command.in_new_workspace(tmp_path / "workspace")
    words = command.arguments("record", "--source", "test", "-t", "move", "-c", "c001", "--yes")
    recorder = subprocess.Popen(words, env=command.environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    drafts = tmp_path / "workspace" / "drafts"
    try:
        while not list(drafts.glob("*/*.partial.json")):
            assert recorder.poll() is None
        assert command.json("status")["recovered"] == [], "a take that is being made is left alone"
    finally:
        recorder.kill()
        recorder.communicate()

    told = command.run("status").stdout
    assert "was cut short; what there is of it was recovered" in told
    (row,) = command.json("status")["recordings"]
    assert row["state"] == "draft"
    folder = drafts / row["recording"]
    assert sorted(path.name for path in folder.iterdir()) == ["recording.json", "video.mp4"]
    assert [path.name for path in drafts.iterdir()] == [row["recording"]]
    frames = [read_counter(frame.image) for frame in open_video(folder / "video.mp4").frames()]
    assert len(frames) == row["frames"] > 10
    assert frames == list(range(len(frames)))
    command.run("submit", "--all")


def test_what_a_crash_left_becomes_a_draft_once(
    outbox: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(outbox, "camera", monkeypatch, content=make_clip(tmp_path / "clip.mp4", frames=20))
    assert adopt_drafts(outbox) == []
    (leftover,) = recover(outbox)
    assert leftover.description is not None
    assert leftover.description.consent.method == "typed"
    assert leftover.description.origin.ended == "interrupted"
    assert leftover.description.video.frames == 20
    assert outbox.catalog.recording(leftover.recording).state is State.DRAFT
    assert recover(outbox) == []


@pytest.mark.parametrize(("kind", "told"), [("camera", "before its first frame"), ("import", "import the file again")])
def test_what_holds_no_frame_is_removed_and_told(
    kind: str, told: str, outbox: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(outbox, kind, monkeypatch)
    (leftover,) = recover(outbox)
    assert leftover.description is None
    assert told in leftover.problem
    assert list(outbox.drafts.iterdir()) == []
    assert outbox.catalog.recordings() == []


def test_a_take_that_another_process_makes_is_left_alone(
    outbox: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = crash(outbox, "camera", monkeypatch, content=make_clip(tmp_path / "clip.mp4", frames=20))
    with FileLock(folder.with_suffix(".lock")):
        assert recover(outbox) == []
    assert len(recover(outbox)) == 1


def test_what_the_disk_has_no_room_for_waits(small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = make_workspace(small_disk / "workspace")
    try:
        crash(workspace, "camera", monkeypatch, content=make_clip(tmp_path / "clip.mp4", frames=60))
        filler = small_disk / "filler"
        statistics = os.statvfs(small_disk)
        filler.write_bytes(b"\0" * (statistics.f_bavail * statistics.f_frsize - 4096))
        (waits,) = recover(workspace)
        assert waits.description is None
        assert "waits for the next start" in waits.problem
        assert "no space left" in waits.problem
        filler.unlink()
        (leftover,) = recover(workspace)
        assert leftover.description is not None
        assert leftover.description.video.frames == 60
    finally:
        workspace.catalog.close()


def test_a_take_that_the_disk_cut_short_is_told_and_kept(outbox: Workspace, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=20)

    def capture(video: Path) -> Origin:
        partial_path(video).write_bytes(clip.read_bytes())
        raise StorageFailed("no space left on device")

    with pytest.raises(StorageFailed, match="no space left"):
        take(outbox, kind="camera", task="move", contributor="c001", agreement=Agreement("flag"), capture=capture)
    found: list[Leftover] = recover(outbox)
    assert [leftover.problem for leftover in found] == [""]


def test_a_journal_that_cannot_be_read_costs_no_frame(
    outbox: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = crash(outbox, "camera", monkeypatch, content=make_clip(tmp_path / "clip.mp4", frames=20))
    journal_path(folder / "video.mp4").write_bytes(b"")
    (leftover,) = recover(outbox)
    assert leftover.description is not None
    assert (leftover.description.origin.ended, leftover.description.video.frames) == ("interrupted", 20)


def test_what_killed_writers_left_beside_a_take_goes_with_its_recovery(
    outbox: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = crash(outbox, "camera", monkeypatch, content=make_clip(tmp_path / "clip.mp4", frames=20))
    for name in ("begun.json", "video.mp4.partial.json", "recording.json"):
        staged_path(folder / name).write_bytes(b"{")
    (leftover,) = recover(outbox)
    draft = outbox.drafts / leftover.recording
    assert sorted(path.name for path in draft.iterdir()) == ["recording.json", "video.mp4"]


def test_drafts_that_came_back_after_they_were_handed_in_go_again(outbox: Workspace, tmp_path: Path) -> None:
    made = make_take(outbox, make_clip(tmp_path / "clip.mp4"))
    shutil.copytree(outbox.drafts / made.recording, tmp_path / "copy")
    submit(outbox, made.recording)
    shutil.copytree(tmp_path / "copy", outbox.drafts / made.recording)
    kept = make_take(outbox, make_clip(tmp_path / "clip2.mp4"))
    assert adopt_drafts(outbox) == []
    assert [path.name for path in outbox.drafts.iterdir()] == [kept.recording]
    assert outbox.objects.exists(video_key(made.recording))


def test_a_draft_that_its_maker_is_about_to_enter_is_left_to_it(outbox: Workspace, tmp_path: Path) -> None:
    real = type(outbox.catalog).add_recording
    found = []

    def looked_at_before(self: Catalog, description: RecordingFile, *, who: str) -> None:
        found.append(adopt_drafts(outbox))
        real(self, description, who=who)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Catalog, "add_recording", looked_at_before)
        make_take(outbox, make_clip(tmp_path / "clip.mp4"))
    assert found == [[]]
