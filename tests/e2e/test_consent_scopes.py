"""Scopes of consent through the command: offered by a task, given at a take, needed by a version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.recordings.consent import SCOPES
from storage.recordings.recording import RecordingFile, description_key
from storage.workspace import create_workspace, open_workspace
from tests.e2e.test_session import Person
from tests.support.command import TASK, Command
from tests.support.populated_workspaces import add_recording, populate
from tests.support.video_clips import make_clip

OFFERS = TASK + '[consent_scopes]\noffered = ["train", "share_keypoints", "share_video"]\nexpires_after_days = 365\n'


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """A workspace whose task also offers to share video."""
    made = Command.in_new_workspace(tmp_path / "workspace")
    file = tmp_path / "offers.toml"
    file.write_text(OFFERS)
    made.run("task", "add", str(file))
    return made


def imported(command: Command, clip: Path, *words: str) -> Any:
    made = command.json("import", str(clip), "--task", "move", "--contributor", "c001", "--yes", *words)
    return made["recordings"][0]


def test_a_take_carries_what_was_agreed_to(command: Command, tmp_path: Path) -> None:
    assert "share_video (if they like); for 365 days" in command.run("task", "show", "move").stdout
    plain = imported(command, make_clip(tmp_path / "1.mp4", 20))["consent"]
    assert plain["scopes"] == ["train", "share_keypoints"]
    agreed, ends = (datetime.fromisoformat(plain[name]) for name in ("agreed_at", "expires_at"))
    assert ends - agreed == timedelta(days=365)
    day = f"{datetime.now(UTC) + timedelta(days=10):%Y-%m-%d}"
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    full = imported(command, make_clip(tmp_path / "2.mp4", 22), *scopes, "--consent-until", day)
    assert full["consent"]["scopes"] == list(SCOPES)
    end = datetime.fromisoformat(full["consent"]["expires_at"])
    assert end == datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)
    command.run("submit", "--all")
    place = open_workspace(command.workspace)
    row = place.catalog.recording(full["recording"])
    assert (row.scopes, row.consent_expires_at) == (tuple(SCOPES), end)
    stored = RecordingFile.from_bytes(place.objects.get(description_key(row.recording)), "x")
    assert (stored.consent.scopes, stored.consent.expires_at) == (row.scopes, end)
    place.catalog.close()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--scope", "train"], "task 'move' needs consent to 'share_keypoints'"),
        (["--scope", "sell"], "'sell' is no scope of consent; choose from: train, share_keypoints, share_video"),
        (["--consent-until", "2020-01-01"], "would have ended on 2020-01-02 already"),
    ],
)
def test_what_the_task_does_not_allow_is_refused_before_the_take(
    command: Command, tmp_path: Path, words: list[str], why: str
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 20)
    error = command.error("import", str(clip), "--task", "move", "--contributor", "c001", "--yes", *words)
    assert why in error
    assert command.json("status")["recordings"] == []


def test_at_the_keyboard_what_is_not_required_is_asked(command: Command) -> None:
    with Person(command, "--source", "test", "--seconds", "1") as person:
        person.reads("type your name or initials")
        person.types("A.B.\n")
        person.reads("Do you also agree that the video itself may be given to those who train?")
        person.types("y\n")
        person.reads("Get ready")
        person.types("\n")
        person.reads("Enter: keep it")
        person.types("\n")
        assert person.ends() == 0
    (row,) = command.json("status")["recordings"]
    assert row["scopes"] == list(SCOPES)


def test_a_version_takes_only_what_is_consented_to(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "workspace")
    populate(workspace, {"anna": 2, "ben": 0})
    add_recording(workspace, "ben", seed=50, scopes=tuple(SCOPES))
    expired = datetime.now(UTC) - timedelta(days=1)
    add_recording(workspace, "ben", seed=51, scopes=tuple(SCOPES), expires_at=expired)
    workspace.catalog.close()
    command = Command(workspace.folder)
    shown = command.run("publish", "shared", "--needs", "train, share_video").stdout
    assert "Published shared@1: 1 episodes" in shown
    assert "Left out for want of consent: 1 (consent has expired), 2 (no consent to share_video)." in shown
    raw = command.json("publish", "raw", "--video", "raw")
    assert raw["manifest"]["needs"] == list(SCOPES)
    assert raw["left_out"] == {"consent has expired": 1, "no consent to share_video": 2}
    plain = command.json("publish", "plain")["manifest"]
    assert (plain["video"], plain["counts"]["episodes"]) == ("none", 3)
    assert "is no scope" in command.error("publish", "x", "--needs", "everything")
