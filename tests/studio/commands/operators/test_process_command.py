"""The command `process` beside poison: it says what follows, stops when it is told to, and leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.frail_extractor import CommandWithPoison
from tests.support.other_processes import is_running, noted_processes, wait_until_gone
from tests.support.video_clips import make_clip


@pytest.fixture
def command(tmp_path: Path) -> CommandWithPoison:
    return CommandWithPoison.prepared(tmp_path)


def submitted(command: CommandWithPoison, frames: int) -> str:
    clip = make_clip(command.workspace.parent / f"{frames}.mp4", frames=frames)
    made = command.json("import", str(clip), "-t", "move", "-c", "c001", "--yes")["recordings"][0]["recording"]
    command.run("submit", made)
    return str(made)


def test_each_try_is_told_and_the_third_is_the_last(command: CommandWithPoison) -> None:
    good, bad = submitted(command, 40), submitted(command, 41)
    command.poison.set({bad: "crash"})
    why = "what reads or extracts it crashed (SIGSEGV)"
    done = command.run("process", "--extractor", "frail", "--workers", "2", code=1)
    assert good in done.stdout and f"error: {bad}: {why} (try 1 of 3)" in done.stderr
    assert "Traceback" not in done.stderr
    assert f"try 1 of 3 failed: {why}" in command.run("status", bad).stdout
    assert f"{bad} could not be processed: try 1 of 3 failed: {why}" in command.run("status").stdout
    assert "(try 2 of 3)" in command.error("process", "--extractor", "frail")
    told = command.error("process", "--extractor", "frail")
    assert "(tried 3 times; a person decides, or tries again with --again: kinesphere review)" in told
    assert "Nothing is waiting" in command.run("process", "--extractor", "frail").stdout
    assert f"{bad} could not be processed: try 3 of 3 failed: {why}" in command.run("status").stdout
    listed = command.run("review").stdout
    assert bad in listed and f"try 3 of 3 failed: {why}" in listed
    (queued,) = [row for row in command.json("review") if row["recording"]["recording"] == bad]
    assert queued["failure"] == f"try 3 of 3 failed: {why}"
    assert f"It could not be processed: try 3 of 3 failed: {why}" in command.run("review", bad).stdout
    assert "nothing to accept" in command.error("review", bad, "--decision", "accept")
    failed = next(one for one in command_failures(command, "--again", bad) if one["recording"] == bad)
    assert (failed["error"], failed["tries"], failed["state"]) == (why, 3, "flagged")
    command.poison.set({})
    (outcome,) = command.json("process", "--extractor", "frail", "--again", bad)["processed"]
    assert outcome["frames"] == 41
    assert "could not be processed" not in command.run("status").stdout
    assert command.run("doctor", str(command.workspace)).returncode == 0


def command_failures(command: CommandWithPoison, *words: str) -> list[dict[str, object]]:
    """What `process` says of those that failed."""
    shown = json.loads(command.run("process", "--extractor", "frail", *words, "--json", code=1).stdout)
    failed: list[dict[str, object]] = shown["failed"]
    return failed


def test_limits_are_options_and_settings(command: CommandWithPoison, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = submitted(command, 40)
    command.poison.set({bad: "eat"})
    assert "it needed more than 0.6 GB of memory" in command.error(
        "process", "--extractor", "frail", "--memory-limit", "0.6"
    )
    command.poison.set({bad: "sleep"})
    monkeypatch.setenv("KINESPHERE_TIME_LIMIT", "0.1")
    assert "it took longer than 6 seconds" in command.error("process", "--extractor", "frail")
    assert "memory-limit" in command.run("process", "--memory-limit", "0", code=2).stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_while_a_recording_hangs_it_leaves_no_process_and_no_try(
    command: CommandWithPoison, number: signal.Signals
) -> None:
    bad = submitted(command, 40)
    command.poison.set({bad: "hang"})
    words = command.arguments("process", "--extractor", "frail")
    running = subprocess.Popen(words, env=command.environment, stderr=subprocess.PIPE, text=True)
    (process,) = noted_processes(command.poison.note(bad), running)
    assert is_running(process) and process != running.pid
    os.kill(running.pid, number)
    shown = running.communicate(timeout=120)[1]
    assert running.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in shown
    wait_until_gone([process])
    assert [event["to_state"] for event in command.json("status", bad)["events"]] == ["draft", "submitted"]
