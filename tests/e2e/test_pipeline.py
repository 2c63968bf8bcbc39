"""The commands, one after the other, on real clips; and what happens when they are killed half-way."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr

import kinesphere as ks
from annotate.labels.segments import add_segment
from kinesphere.errors import Conflict, InvalidInput
from storage.footage.video_reader import open_video
from storage.workspace import open_workspace
from tests.support import video_clips as clips
from tests.support.command import Command


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command.in_new_workspace(tmp_path / "workspace")


def submitted(command: Command, clip: Path) -> str:
    """Import and submit a clip; gives the recording's id."""
    made = command.json("import", str(clip), "-t", "move", "-c", "c001", "--yes")["recordings"][0]["recording"]
    assert command.json("submit", "--all") == {"submitted": [made]}
    return str(made)


def shard_files(command: Command) -> dict[str, bytes]:
    folder = command.workspace / "shards"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_video_becomes_training_windows_command_by_command(command: Command, short_clip: Path) -> None:
    recording = submitted(command, short_clip)
    (outcome,) = command.json("process")["processed"]
    assert (outcome["recording"], outcome["state"], outcome["frames"]) == (recording, "accepted", 60)
    assert outcome["frames_with_body"] >= 55

    status = command.json("status", recording)
    assert [event["to_state"] for event in status["events"]] == ["draft", "submitted", "accepted"]
    assert {check["verdict"] for check in status["checks"]} == {"pass"}
    for words in (
        ["status"],
        ["status", recording],
        ["task", "show", "move"],
        ["task", "list"],
        ["contributor", "list"],
    ):
        assert command.run(*words).stdout.strip()

    workspace = open_workspace(command.workspace)
    segment = add_segment(
        workspace, recording, start_ns=500_000_000, end_ns=1_500_000_000, label="move", author="a1"
    ).content
    with pytest.raises(InvalidInput, match="did you mean 'move'"):
        add_segment(workspace, recording, start_ns=0, end_ns=1, label="moves", author="a1")
    with pytest.raises(InvalidInput, match="does not lie in recording"):
        add_segment(workspace, recording, start_ns=0, end_ns=10**12, label="move", author="a1")
    workspace.catalog.close()

    published = command.json("publish", "moves")
    assert published["is_new"] and published["manifest"]["number"] == 1
    assert not command.json("publish", "moves")["is_new"]
    assert "matches none" in command.error("publish", "moves", "--where", "label = 'rest'")
    whole = command.json("publish", "moves", "--episodes", "recordings")
    assert whole["manifest"]["number"] == 2 and whole["manifest"]["counts"]["frames"] == 60
    assert [version["number"] for version in command.json("versions", "moves")] == [1, 2]
    assert command.json("info", "moves@1")["labels"] == {"move": 1}
    assert command.run("info", "moves").stdout.strip() and command.run("versions", "moves").stdout.strip()

    dataset = ks.open_dataset(published["location"], version=1)
    episode = dataset.episode(0)
    assert dataset.episodes.num_rows == 1
    assert len(episode["timestamp"]) == segment.end_frame - segment.start_frame
    assert episode["timestamp"][0] == segment.start_ns
    windows = [batch["body_world"] for batch in dataset.stream(window=8, batch_size=4, keys=["body_world"])]
    assert sum(map(len, windows)) == len(episode["timestamp"]) - 8 + 1
    np.testing.assert_array_equal(windows[0][0], episode["body_world"][:8])


def test_the_shard_holds_the_true_frame_times_and_opens_everywhere(command: Command, short_clip: Path) -> None:
    submitted(command, short_clip)
    (outcome,) = command.json("process")["processed"]
    group = command.workspace / "shards" / f"{outcome['shard']}.zarr"
    with open_video(short_clip) as video:
        times = [frame.timestamp_ns for frame in video.frames()]
    plain = zarr.open_group(group, mode="r")
    np.testing.assert_allclose(np.asarray(plain["timestamp"]), times, atol=12_000)  # one tick of 1/90000 s
    assert len(set(np.diff(times))) > 1, "the clip should have uneven frame times"

    with xarray.open_zarr(group) as decoded:
        body = decoded["body_world"]
        assert body.attrs["units"] == "m"
        assert body.dims == ("frame", "body_landmark", "xyz")
        # a standing adult's nose is 40 to 90 cm above the middle of the hips, and up is minus y
        nose = body.isel(body_landmark=0, xyz=1)
        assert -0.9 < float(nose.median()) < -0.4


def test_recording_from_a_clip_keeps_every_frame(command: Command, short_clip: Path) -> None:
    words = ["record", "--task", "move", "--contributor", "c001", "--yes", "--source", f"file:{short_clip}"]
    made = command.json(*words)
    assert made["recording"]["video"]["frames"] == 60
    assert made["report"]["dropped"] == 0
    assert made["recording"]["consent"]["method"] == "flag"
    assert len(made["recording"]["consent"]["text_sha256"]) == 64


def test_two_cameras_make_two_drafts_that_name_each_other(command: Command) -> None:
    words = ["record", "--source", "test", "--source", "test", "--seconds", "1", "-t", "move", "-c", "c001", "--yes"]
    first, second = command.json(*words)["recordings"]
    assert first["origin"]["beside"][0]["recording"] == second["recording"]
    assert abs(first["origin"]["beside"][0]["offset_ns"]) < 50e6
    assert "ms after the first" in command.run(*words).stdout
    assert [row["state"] for row in command.json("status")["recordings"]] == ["draft"] * 4


def test_two_recorders_on_one_outbox_do_not_disturb_each_other(command: Command, short_clip: Path) -> None:
    words = command.arguments("record", "--source", f"file:{short_clip}", "-t", "move", "-c", "c001", "--yes", "--json")
    recorders = [
        subprocess.Popen(words, env=command.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    made = [json.loads(recorder.communicate(timeout=120)[0]) for recorder in recorders]
    assert [one["recording"]["video"]["frames"] for one in made] == [60, 60]
    assert [one["recovered"] for one in made] == [[], []], "a take that is being made is no leftover"
    assert len({one["recording"]["recording"] for one in made}) == 2


@pytest.mark.real_time
def test_ctrl_c_ends_a_take_and_keeps_it(command: Command) -> None:
    words = command.arguments("record", "-t", "move", "-c", "c001", "--yes", "--source", "test", "--json")
    recorder = subprocess.Popen(words, env=command.environment, stdout=subprocess.PIPE, text=True)
    while not list(command.workspace.rglob("*.partial.json")):  # there is a first second; a busy machine takes a while
        assert recorder.poll() is None
        time.sleep(0.05)
    time.sleep(1)
    recorder.send_signal(signal.SIGINT)
    made = json.loads(recorder.communicate(timeout=30)[0])
    assert recorder.returncode == 0
    assert made["report"]["ended"] == "asked"
    assert made["recording"]["video"]["frames"] > 10
    assert len(command.json("status")["recordings"]) == 1


def test_ctrl_c_ends_processing_at_once_and_the_recording_still_waits(command: Command, short_clip: Path) -> None:
    recording = submitted(command, short_clip)
    worker = subprocess.Popen(
        command.arguments("process"), env=command.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    threads = Path(f"/proc/{worker.pid}/task")
    while len(list(threads.iterdir())) < 4:  # a busy machine takes a while to import everything
        assert worker.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)
    worker.send_signal(signal.SIGINT)
    shown = worker.communicate(timeout=60)[1]
    assert worker.returncode == 130 and "run the command again" in shown and "Traceback" not in shown
    assert command.json("status", recording)["recording"]["state"] == "submitted"


@pytest.mark.slow
def test_process_killed_at_any_moment_and_run_again_makes_the_same_bytes(command: Command, short_clip: Path) -> None:
    recording = submitted(command, short_clip)
    undisturbed = Command(command.workspace.parent / "undisturbed")
    shutil.copytree(command.workspace, undisturbed.workspace)
    began = time.monotonic()
    undisturbed.run("process")
    takes = time.monotonic() - began

    moments = random.Random(7)
    for _ in range(4):
        worker = subprocess.Popen(
            command.arguments("process"), env=command.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(0.3, 0.9) * takes)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        state = command.json("status", recording)["recording"]["state"]
        assert state in ("submitted", "accepted")
    if state == "submitted":
        command.run("process")
    assert shard_files(command) == shard_files(undisturbed)
    assert [event["to_state"] for event in command.json("status", recording)["events"]] == [
        "draft",
        "submitted",
        "accepted",
    ]


def test_a_clip_without_a_person_is_a_trajectory_with_nothing_in_it(command: Command, tmp_path: Path) -> None:
    recording = submitted(command, clips.make_clip(tmp_path / "pattern.mp4", frames=40))
    (outcome,) = command.json("process")["processed"]
    assert (outcome["frames"], outcome["frames_with_body"], outcome["hands_found"]) == (40, 0, 0)
    assert outcome["state"] in ("flagged", "rejected")
    group = zarr.open_group(command.workspace / "shards" / f"{outcome['shard']}.zarr", mode="r")
    assert (np.asarray(group["body_world"]) == -32768).all() and (np.asarray(group["valid"]) == 0).all()
    assert "person is found in 0%" in command.run("status", recording).stdout


def test_a_doubted_recording_waits_for_a_person_who_decides(command: Command, tmp_path: Path, short_clip: Path) -> None:
    file = tmp_path / "strict.toml"
    file.write_text(
        'name = "move"\ntitle = "t"\ninstructions = "i"\nconsent = "c"\n'
        "[criteria]\nduration_seconds = { doubt = 60, fail = 0 }\nhands_visible_share = { doubt = 0, fail = 0 }\n"
    )
    assert command.json("task", "add", str(file))["version"] == 2
    recording = submitted(command, short_clip)
    (outcome,) = command.json("process")["processed"]
    assert outcome["state"] == "flagged" and "should be at least 60" in outcome["why"]
    assert "no accepted recording" in command.error("publish", "moves")
    assert command.json("review")[0]["recording"]["recording"] == recording
    assert "--feedback" in command.error("review", recording, "--decision", "reject")
    assert "nobody reviews their own" in command.error(
        "review", recording, "--decision", "accept", "--reviewer", "c001"
    )
    command.run("review", recording, "--decision", "accept", "--reviewer", "r1", "--feedback", "long enough")
    assert command.json("status", recording)["recording"]["state"] == "accepted"
    assert command.json("publish", "moves")["manifest"]["counts"]["episodes"] == 1
    assert "is accepted, not submitted" in command.error("process", recording)


def test_the_same_file_is_imported_once(command: Command, short_clip: Path) -> None:
    recording = submitted(command, short_clip)
    line = command.error("import", str(short_clip), "-t", "move", "-c", "c001", "--yes")
    assert f"is here already, as recording {recording}" in line


def test_a_video_changed_behind_our_back_is_noticed(command: Command, short_clip: Path) -> None:
    recording = submitted(command, short_clip)
    video = command.workspace / "recordings" / recording / "video.mp4"
    content = bytearray(video.read_bytes())
    content[len(content) // 2] ^= 1
    video.write_bytes(content)
    assert "is not what was submitted" in command.error("process")
    assert command.json("status", recording)["recording"]["state"] == "submitted"


def test_a_take_that_a_crash_left_out_of_the_catalog_is_found(command: Command, short_clip: Path) -> None:
    made = command.json("import", str(short_clip), "-t", "move", "-c", "c001", "--yes")["recordings"][0]["recording"]
    other = Command.in_new_workspace(command.workspace.parent / "other")
    shutil.copytree(command.workspace / "drafts", other.workspace / "drafts")
    assert [row["recording"] for row in other.json("status")["recordings"]] == [made]
    workspace = open_workspace(other.workspace)
    with pytest.raises(Conflict, match="not extracted yet"):
        add_segment(workspace, made, start_ns=0, end_ns=1, label="move", author="a1")
    workspace.catalog.close()
