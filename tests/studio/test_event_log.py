"""The log of the commands: JSON lines or text, cleaned of secrets and of what commands a terminal."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from studio.event_log import REQUEST, JsonLines, LogForm, TextLines, cleaned, note
from tests.support.command import Command
from tests.support.video_clips import make_clip


def record(message: str, fields: dict[str, Any] | None = None, **options: Any) -> logging.LogRecord:
    made = logging.LogRecord("library", logging.ERROR, "", 0, message, (), options.get("exc_info"))
    if fields is not None:
        made.kinesphere_fields = fields
    return made


def test_an_event_is_one_line_of_json_with_its_fields_and_the_request_that_caused_it() -> None:
    token = REQUEST.set("r1")
    line = JsonLines().format(
        record("it happened", {"recording": "x", "frames": 3, "seconds": 0.5, "title": "a\n\x1b[1mb\ud800"})
    )
    REQUEST.reset(token)
    assert "\n" not in line and line.isascii()
    told = json.loads(line)
    assert list(told)[:4] == ["time", "level", "event", "request"]
    assert told | {"time": ""} == {
        "time": "", "level": "error", "event": "it happened", "request": "r1",
        "recording": "x", "frames": 3, "seconds": 0.5, "title": "a\n␛[1mb\ufffd",
    }  # fmt: skip


def test_what_libraries_log_is_an_event_of_theirs() -> None:
    told = json.loads(JsonLines().format(record("connection lost")))
    assert (told["event"], told["message"]) == ("library", "connection lost")


def test_text_is_one_line_for_people_with_a_traceback_below() -> None:
    try:
        raise ValueError("no \x1b[2J")
    except ValueError as error:
        text = TextLines().format(
            record("it failed", {"why": "a\nb\x07"}, exc_info=(ValueError, error, error.__traceback__))
        )
    first, *rest = text.splitlines()
    assert first.endswith("  error  it failed  why=a b␇") and rest[-1] == "ValueError: no ␛[2J"


@pytest.mark.parametrize(
    "text",
    [
        "GET /invitation?code=SECRET&x=1",
        "/enter?link=SECRET",
        "Authorization: Bearer SECRET.SECRET",
        "postgresql://kim:SECRET@host/catalog is not there",
        "Cookie: kinesphere_session=SECRET; other",
        "password='SECRET'",
        'token: "SECRET"',
    ],
)
def test_what_looks_like_a_secret_is_left_out(text: str) -> None:
    assert "SECRET" not in cleaned(text) and "…" in cleaned(text)


def test_plain_words_stay_as_they_are() -> None:
    text = "object 'recordings/x/video.mp4' in s3://bucket/prefix: the token is missing or wrong; HTTP code 503"
    assert cleaned(text) == text


def test_nothing_is_written_unless_a_command_begins_a_log(capfd: pytest.CaptureFixture[str]) -> None:
    note("unheard", level=logging.ERROR)
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_process_logs_what_became_of_each_recording(tmp_path: Path) -> None:
    command = Command.in_new_workspace(tmp_path / "workspace")
    clip = make_clip(tmp_path / "clip.mp4", frames=20)
    made = command.json("import", str(clip), "--task", "move", "--contributor", "c001", "--yes")
    recording = made["recordings"][0]["recording"]
    command.run("submit", "--all")
    (command.workspace / "recordings" / recording / "video.mp4").write_bytes(b"broken")
    done = command.run("process", "--log", LogForm.json.value, code=1)
    begun, failed, ended = [json.loads(line) for line in done.stderr.splitlines()]
    assert (begun["event"], begun["recordings"]) == ("processing begun", 1)
    assert (failed["event"], failed["recording"], failed["level"]) == ("recording failed", recording, "warning")
    assert (ended["event"], ended["failed"]) == ("processing done", 1)
    done = command.run("process", "no-such-recording", "--log", "json", code=1)
    (refused,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert refused["event"] == "command failed" and "no-such-recording" in refused["reason"]
