"""The doctor finds what is wrong and says how to mend it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from kinesphere.shards.shard import Shard, shard_key
from kinesphere.video.video_keys import video_key
from storage.inspection.stated_deviations import deviations_amiss
from storage.inspection.workspace_inspection import inspect
from storage.publishing.publish import publish
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import write_shard
from storage.workspace import Workspace
from tests.support.command import Command
from tests.support.generated_trajectories import make_row, make_table, make_trajectory
from tests.support.populated_workspaces import describe, populate


def test_a_machine_that_runs_these_tests_is_well(workspace: Workspace) -> None:
    findings = Command(workspace.folder).json("doctor", str(workspace.folder))
    assert {finding["what"]: finding["ok"] for finding in findings} == dict.fromkeys(
        ["kinesphere", "video", "pose", "models", "disk", "workspace", "content"], True
    )


def test_a_broken_workspace_is_found(tmp_path: Path) -> None:
    done = Command(tmp_path).run("doctor", str(tmp_path), code=1)
    assert "!!" in done.stdout and "kinesphere init" in done.stdout


def test_what_is_missing_empty_or_changed_is_named(workspace: Workspace) -> None:
    populate(workspace, {"anna": 4})
    publish(workspace, "kitchen")
    missing, empty, changed, shardless = workspace.catalog.recordings()
    objects = workspace.objects
    objects.delete(video_key(missing.recording))
    objects.put(video_key(empty.recording), b"")
    video = objects.get(video_key(changed.recording))
    objects.put(video_key(changed.recording), bytes(len(video)))
    trajectory = workspace.catalog.trajectory(shardless.recording)
    assert trajectory is not None
    objects.delete(f"{shard_key(trajectory.shard)}/valid/c/0")
    command = Command(workspace.folder)
    found = {row["what"]: row["words"] for row in wrong(command, "doctor", str(workspace.folder))}
    assert f"video '{video_key(missing.recording)}' is missing" in found[f"recording {missing.recording}"]
    assert "is empty" in found[f"recording {empty.recording}"]
    assert "valid/c/0' is missing" in found[f"shard {trajectory.shard}"]
    assert f"recording {changed.recording}" not in found and len(found) == 4
    deep = {row["what"]: row["words"] for row in wrong(command, "doctor", str(workspace.folder), "--deep")}
    assert "its sha256 differs" in deep[f"recording {changed.recording}"] and len(deep) == 5


def test_standard_deviations_that_are_not_where_their_numbers_are_are_named(workspace: Workspace) -> None:
    populate(workspace, {"anna": 1}, with_sd=("anna",))
    assert inspect(workspace, deep=True).problems == ()
    trajectory = make_trajectory(50, seed=9, recording="20261124-000000-00000009", with_sd=True)
    trajectory.arrays["grip_sd"][:7] = np.nan
    trajectory.arrays["wrist_pose"][:, 1] = np.nan
    there = np.count_nonzero(np.isfinite(trajectory.arrays["grip"][:7]))
    too_many = np.count_nonzero(np.isfinite(trajectory.arrays["wrist_pose_sd"][:, 1]))
    shard = write_shard(workspace.objects, [trajectory])
    found = deviations_amiss(Shard(workspace.objects, shard.shard_id))
    assert there > 0 and too_many > 0 and len(found) == 2
    assert (
        f"'wrist_pose_sd' has no standard deviation for 0 numbers of 'wrist_pose', and has one for {too_many:,} "
        in found[0]
    )
    assert f"'grip_sd' has no standard deviation for {there} numbers of 'grip', and has one for 0 that" in found[1]
    write_version(workspace.objects, "odd", make_table([make_row(shard)]))
    assert f"shard {shard.shard_id}" not in {problem.what for problem in inspect(workspace).problems}
    assert [problem.what for problem in inspect(workspace, deep=True).problems] == [f"shard {shard.shard_id}"] * 2


def wrong(command: Command, *words: str) -> list[dict[str, str]]:
    done = command.run(*words, "--json", code=1)
    return [row for row in json.loads(done.stdout) if not row["ok"]]


def test_what_the_killed_left_is_removed_and_nothing_else(workspace: Workspace) -> None:
    populate(workspace, {"anna": 1})
    publish(workspace, "kitchen")
    half = workspace.folder / "datasets/kitchen/versions/000002.parquet#1"
    half.write_bytes(b"half")
    os.utime(half, (0, 0))
    empty = workspace.folder / "recordings/20261124-000000-0000ffff"
    empty.mkdir()
    before = {key: workspace.objects.get(key) for key in workspace.objects.keys("") if "catalog" not in key}
    command = Command(workspace.folder)
    assert len(wrong(command, "doctor", str(workspace.folder))) == 3
    mended = command.json("doctor", str(workspace.folder), "--repair")
    assert [row["what"] for row in mended if "removed" in row["words"]] == [
        "datasets/kitchen/versions/000002.parquet#1",
        "recordings/20261124-000000-0000ffff",
    ]
    assert not half.exists() and not empty.exists()
    assert before == {key: workspace.objects.get(key) for key in workspace.objects.keys("") if "catalog" not in key}
    assert command.json("doctor", str(workspace.folder), "--deep")[-1]["ok"]


def test_a_damaged_table_and_a_draft_without_its_video_are_named(workspace: Workspace) -> None:
    populate(workspace, {"anna": 1})
    publish(workspace, "kitchen")
    workspace.objects.put("datasets/kitchen/versions/000001.parquet", b"damaged")
    workspace.catalog.add_recording(describe("anna", seed=50), who="anna")
    found = {problem.what.split(" ")[0] for problem in inspect(workspace).problems}
    assert found == {"version", "recording"}
