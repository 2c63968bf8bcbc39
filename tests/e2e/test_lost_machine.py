"""The machine is lost: a real life with a running server, backed up, deleted, restored elsewhere, compared in all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from storage.backup.backup_place import BackupPlace
from storage.catalog import Accounts, Reviews, Role
from storage.recordings.recording import State
from storage.workspace import Workspace, open_workspace
from tests.support.command import TASK, Command
from tests.support.compared_workspaces import assert_same_batches, batches_of, bytes_of, rows_of
from tests.support.differing_annotators import labelled_by
from tests.support.populated_workspaces import populate
from tests.support.video_clips import make_clip

TOKEN = "a-token-for-the-tests"


@contextmanager
def serving(command: Command) -> Iterator[str]:
    """`kinesphere serve` of a workspace, in a process of its own; gives its address."""
    words = command.arguments("serve", "--json", "--port", "0")
    environment = command.environment | {"KINESPHERE_TOKEN": TOKEN}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    shown = ""
    while not shown.endswith("}\n"):
        line = process.stdout.readline()
        assert line, "the server ended"
        shown += line
    try:
        yield str(json.loads(shown)["url"])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        process.stdout.close()


def live(command: Command, clip: Path, other: Path) -> None:
    """Record, submit, process, review, label and publish."""
    command.run("contributor", "add", "c001")
    for video in (clip, other):
        command.run("import", str(video), "-t", "move", "-c", "c001", "--yes")
    command.run("submit", "--all")
    outcomes = command.json("process")["processed"]
    assert [outcome["state"] for outcome in outcomes].count("accepted") >= 1
    workspace = open_workspace(command.workspace)
    populate(workspace, {"c002": 6, "c003": 2}, frames=30)
    accepted = outcomes[0]["recording"]
    labelled_by(workspace, accepted, "ada", (3, 30, "move"), (30, 50, "rest"))
    Accounts(workspace.catalog).add("olivia", [Role.OPERATOR], who="otto")
    for waiting in Reviews(workspace.catalog).queue():
        if waiting.recording.state is State.FLAGGED:
            Reviews(workspace.catalog).decide(waiting.recording.recording, "return", reviewer="rosa", feedback="Again.")
    workspace.catalog.close()
    command.run("publish", "moves")
    command.run("record", "-t", "move", "-c", "c001", "--source", f"file:{other}", "--yes")  # a draft


def killed_halfway(command: Command, destination: Path, objects: int) -> None:
    """Kill -9 a backup while it copies."""
    for _ in range(10):
        process = subprocess.Popen(command.arguments("backup", str(destination)), env=command.environment)
        while process.poll() is None and sum(1 for _ in destination.glob("objects/shards/*/*/*")) < objects:
            time.sleep(0.002)
        process.kill()
        process.wait()
        if not list(destination.glob("snapshots/*/manifest.json")):
            return
        shutil.rmtree(destination)  # it was faster than we
    raise AssertionError("no backup could be killed half-way")


def compare(before: tuple[object, object], made: Workspace) -> None:
    rows, content = before
    found = rows_of(made.catalog)
    assert isinstance(rows, dict) and found.keys() == rows.keys()
    assert {name: held for name, held in found.items() if held != rows[name]} == {}
    assert bytes_of(made) == content


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_lost_machine_is_restored_elsewhere(tmp_path: Path, short_clip: Path) -> None:
    command = Command.in_new_workspace(tmp_path / "workspace")
    live(command, short_clip, make_clip(tmp_path / "other.mp4", frames=40))
    with serving(command):
        killed_halfway(command, tmp_path / "backup", 10)
        there = len(BackupPlace.open(tmp_path / "backup").stored())
        made = command.json("backup", str(tmp_path / "backup"))
        assert made["losses"] == [] and made["kept"] >= there > 0 and made["copied"] > 0
        assert command.json("backup", str(tmp_path / "backup"))["copied"] == 0
        assert "no snapshot names" not in command.run("backup", str(tmp_path / "backup")).stdout
        workspace = open_workspace(command.workspace)
        before, batches = (rows_of(workspace.catalog), bytes_of(workspace)), batches_of(workspace, "moves")
        workspace.catalog.close()
    shutil.rmtree(command.workspace)

    assert command.json("backup", str(tmp_path / "backup"), "--verify") == {"damaged": []}
    assert len(command.json("backup", str(tmp_path / "backup"), "--list")) == 3
    elsewhere = Command(tmp_path / "elsewhere")
    shown = elsewhere.run("restore", str(tmp_path / "backup")).stdout
    assert "Restored 'workspace' as it was on" in shown and "signs in again" in shown
    restored = open_workspace(elsewhere.workspace)
    compare(before, restored)
    assert_same_batches(batches_of(restored, "moves"), batches)
    restored.catalog.close()
    assert all(finding["ok"] for finding in elsewhere.json("doctor", str(elsewhere.workspace), "--deep"))
    assert "is a workspace; restore to a folder" in elsewhere.error("restore", str(tmp_path / "backup"))
    others = [path for path in elsewhere.workspace.rglob("*") if path.stat().st_mode & 0o077]
    assert others == [], "what is restored is for its owner only"
    with serving(elsewhere) as url, urlopen(url, timeout=30) as answer:
        assert answer.status == 200
    elsewhere.run("submit", "--all")  # the draft
    assert len(elsewhere.json("process")["processed"]) == 1
    assert not elsewhere.json("publish", "moves")["is_new"]

    # The same without a backup: what lies beside the videos, and the task's file.
    for file in elsewhere.workspace.glob("catalog.sqlite*"):
        file.unlink()
    (tmp_path / "move.toml").write_text(TASK)
    rebuilt = elsewhere.json("rebuild", "--task", str(tmp_path / "move.toml"))
    assert rebuilt["tasks"] == ["move@1", "move@2"] and rebuilt["segments"] >= 2 and rebuilt["unreadable"] == []
    assert all(finding["ok"] for finding in elsewhere.json("doctor", str(elsewhere.workspace), "--deep"))
    assert "has a catalog" in elsewhere.error("rebuild")
    rebuilt_too = open_workspace(elsewhere.workspace)
    assert_same_batches(batches_of(rebuilt_too, "moves"), batches)
    rebuilt_too.catalog.close()
    again = elsewhere.json("process")["processed"]
    assert again and all(outcome["state"] in ("accepted", "flagged", "rejected") for outcome in again)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_team_s_workspace_is_restored_from_an_object_store(
    tmp_path: Path, short_clip: Path, postgres_url: str, own_postgres_url: str, s3_url: str
) -> None:
    command = Command(tmp_path / "workspace")
    command.run("init", str(command.workspace), "--catalog", postgres_url, "--store", f"{s3_url}/live")
    (tmp_path / "move.toml").write_text(TASK)
    command.run("task", "add", str(tmp_path / "move.toml"))
    live(command, short_clip, make_clip(tmp_path / "other.mp4", frames=40))
    with serving(command) as url:
        sender, stop = Command.in_new_workspace(tmp_path / "sender/workspace"), threading.Event()

        def send() -> None:
            environment = {"KINESPHERE_TOKEN": TOKEN}
            os.environ |= environment
            while not stop.is_set():
                sender.run("record", "-t", "move", "-c", "c001", "--source", f"file:{short_clip}", "--yes")
                sender.run("submit", "--all", "--to", url)

        thread = threading.Thread(target=send)
        thread.start()
        try:
            made = [command.json("backup", f"{s3_url}/backup") for _ in range(2)]
        finally:
            stop.set()
            thread.join()
            del os.environ["KINESPHERE_TOKEN"]
        assert [one["losses"] for one in made] == [[], []]
        snapshot = Command(tmp_path / "snapshot")
        snapshot.run("restore", f"{s3_url}/backup", "--snapshot", made[1]["snapshot"]["name"])
        assert all(finding["ok"] for finding in snapshot.json("doctor", str(snapshot.workspace), "--deep"))
        last = command.json("backup", f"{s3_url}/backup")
        workspace = open_workspace(command.workspace)
        before, batches = (rows_of(workspace.catalog), bytes_of(workspace)), batches_of(workspace, "moves")
        workspace.catalog.close()
    assert last["snapshot"]["manifest"]["catalog"]["rows"]["recording"] == len(before[0]["recording"])
    shutil.rmtree(command.workspace)

    elsewhere = Command(tmp_path / "elsewhere")
    elsewhere.run("restore", f"{s3_url}/backup", "--catalog", own_postgres_url, "--store", f"{s3_url}/again")
    restored = open_workspace(elsewhere.workspace)
    compare(before, restored)
    assert_same_batches(batches_of(restored, "moves"), batches)
    restored.catalog.close()
    assert all(finding["ok"] for finding in elsewhere.json("doctor", str(elsewhere.workspace), "--deep"))
