"""What `backup`, `restore` and `rebuild` say, and with which exit code."""

from __future__ import annotations

import shutil
from pathlib import Path

from kinesphere.video.video_keys import video_key
from storage.backup.backup_place import BackupPlace
from storage.erasure.erasure import erase
from storage.publishing.publish import publish
from storage.workspace import Workspace
from tests.support.command import Command
from tests.support.populated_workspaces import add_recording, populate


def test_a_backup_says_what_it_did_and_what_the_workspace_has_lost(workspace: Workspace, tmp_path: Path) -> None:
    populate(workspace, {"anna": 2, "ben": 1})
    publish(workspace, "kitchen")
    command, place = Command(workspace.folder), str(tmp_path / "backup")
    assert "3 recordings, 71 objects copied" in command.run("backup", place).stdout
    assert "0 objects copied (0 B), 71 there already" in command.run("backup", place).stdout
    erase(workspace, "anna", who="eve")
    shown = command.run("backup", place).stdout
    assert "2 snapshots that named what was erased since" in shown
    (left,) = (row.recording for row in workspace.catalog.recordings(contributor="ben"))
    workspace.objects.delete(video_key(left))
    done = command.run("backup", place, code=1)
    assert f"{video_key(left)}  is missing in the workspace; the copy of an earlier backup was kept" in done.stdout
    assert "error: 1 object of the workspace is missing or damaged; see: kinesphere doctor" in done.stderr
    listed = command.run("backup", place, "--list").stdout
    assert "Snapshots of 'workspace'" in listed and listed.count("UTC") == 2
    assert "every byte" in command.run("backup", place, "--verify").stdout
    stored = BackupPlace.open(place)
    stored.objects.delete(min(stored.stored()))
    assert command.run("backup", place, "--verify", code=1).stdout.count("objects/") == 1
    assert "no backup named" in command.error("backup", str(workspace.folder), "--list")


def test_a_restore_says_what_is_missing_and_who_was_erased_again(workspace: Workspace, tmp_path: Path) -> None:
    populate(workspace, {"anna": 1, "ben": 1})
    command, place = Command(workspace.folder), tmp_path / "backup"
    command.run("backup", str(place))
    add_recording(workspace, "ben", seed=9)
    erase(workspace, "anna", who="eve")
    command.run("backup", str(tmp_path / "later"))
    shutil.copytree(tmp_path / "later/erasures", place / "erasures")
    stored = BackupPlace.open(place)
    (lost,) = (key for key in stored.stored() if "recordings/20261124-000001" in key and "video.mp4" in key)
    stored.objects.delete(lost)
    restored = Command(tmp_path / "restored")
    done = restored.run("restore", str(place), code=1)
    assert "2 recordings" in done.stdout and "Erased again, as after that moment" in done.stdout
    assert "error: 1 object could not be restored" in done.stderr and "video.mp4" in done.stdout
    assert [row["contributor"] for row in restored.json("status")["recordings"] if row["state"] == "accepted"] == [
        "ben"
    ]
    assert len(restored.json("restore", str(place), "--list")) == 1


def test_a_rebuild_says_what_it_found_and_what_nobody_knows(workspace: Workspace) -> None:
    populate(workspace, {"anna": 1, "ben": 1})
    publish(workspace, "kitchen")
    workspace.catalog.close()
    command = Command(workspace.folder)
    assert "has a catalog" in command.error("rebuild")
    for file in workspace.folder.glob("catalog.sqlite*"):
        file.unlink()
    assert "restore it from a copy" in command.error("status")
    shown = command.run("rebuild").stdout
    assert "Recordings: 2 accepted; contributors: 2, trajectories: 2, segments: 2, erasures: 0." in shown
    assert "only criteria and labels are known: move@1" in shown and "kinesphere task add FILE.toml" in shown
    assert "Nobody can know any more" in shown and "exports" in shown
    assert all(finding["ok"] for finding in command.json("doctor", str(workspace.folder), "--deep"))
