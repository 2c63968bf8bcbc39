"""`kinesphere info`: the real command on published versions."""

import json
from pathlib import Path
from typing import Any

import pytest

from annotate.agreement.agreement import agreement, to_manifest
from kinesphere.objects.store import open_objects
from kinesphere.video.video_keys import video_key
from storage.catalog import FinishedAnnotation
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import ShardRecord, write_shard
from tests.support.command import Command
from tests.support.generated_trajectories import make_row, make_table, make_trajectory
from tests.support.written_segments import drawn

HOUR = 3_600 * 10**9


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> tuple[Command, list[ShardRecord]]:
    """A workspace with `kitchen@1`: overlapping segments of two people, one of them without a label."""
    command = Command.in_new_workspace(tmp_path_factory.mktemp("info") / "workspace")
    objects = open_objects(command.workspace)
    written = [
        write_shard(objects, [make_trajectory(600, seed=seed, contributor=contributor)])
        for seed, contributor in ((1, "c001"), (2, "c002"))
    ]
    rows = [
        make_row(written[0], episode="a/1", length=400, end_ns=HOUR, label="pour"),
        make_row(written[0], episode="a/2", first_frame=300, length=300, end_ns=2 * HOUR, label="stir", body_share=0.5),
        make_row(written[1], episode="b", end_ns=4 * HOUR, scale="metric", frame_rate=25.0, task="wash"),
    ]
    write_version(objects, "kitchen", make_table(rows), where="length > 9", created_by="maria")
    objects.put(video_key(written[0].spans[0].recording), bytes(6000))
    return command, written


@pytest.fixture
def command(shards: tuple[Command, list[ShardRecord]]) -> Command:
    return shards[0]


def amount(episodes: int, frames: int, hours: float) -> dict[str, Any]:
    return {"episodes": episodes, "frames": frames, "hours": hours}


def test_the_table_tells_hours_people_tasks_labels_and_quality(command: Command) -> None:
    found = command.json("info", "kitchen@1")
    assert (found["number"], found["parent"], found["where"], found["created_by"]) == (1, None, "length > 9", "maria")
    assert found["total"] == amount(3, 1300, 7.0) and found["distinct_frames"] == 1200
    assert found["by_task"] == {"wash": amount(1, 600, 4.0), "pour-water": amount(2, 700, 3.0)}
    assert list(found["by_label"]) == ["", "stir", "pour"], "most hours first"
    assert found["by_contributor"] == {"c002": amount(1, 600, 4.0), "c001": amount(2, 700, 3.0)}
    assert found["by_label"] == {"": amount(1, 600, 4.0), "stir": amount(1, 300, 2.0), "pour": amount(1, 400, 1.0)}
    assert found["by_scale"] == {"metric": amount(1, 600, 4.0), "relative": amount(2, 700, 3.0)}
    assert list(found["by_image_size"]) == ["1280x720"]
    assert found["found"]["body"] == pytest.approx((400 * 0.9 + 300 * 0.5 + 600 * 0.9) / 1300)
    assert found["frame_rates"] == {"least": 25.0, "median": 30.0, "greatest": 30.0}
    assert found["labels"] == {"": 1, "pour": 1, "stir": 1}, "what the manifest says stays where it was"
    assert "sizes" not in found and "statistics" not in found


def test_people_read_the_same(command: Command) -> None:
    shown = " ".join(command.run("info", "kitchen").stdout.split())
    for words in (
        "kitchen@1, published 20", "UTC by maria", "Episodes where: length > 9", "hours 7.000", "stir 2.000 1 300",
        "(none) 4.000 1 600", "c002 4.000", "frames with body 80.8%", "25.00 to 30.00, median 30.00",
        "scale metric 4.000 hours", "frames, each once 1,200",
    ):  # fmt: skip
        assert words in shown, shown


def test_the_agreement_of_annotators_is_shown_where_it_is_known(tmp_path: Path) -> None:
    command = Command.in_new_workspace(tmp_path / "workspace")
    objects = open_objects(command.workspace)
    shard = write_shard(objects, [make_trajectory(600, seed=1)])
    table = make_table([make_row(shard)])
    some = [
        FinishedAnnotation("pour", f"r{place}", name, 30, drawn(frames))
        for place, (anna, ben) in enumerate([("aaaaabbbbb", "aaaaabbbbb"), ("aaaabbbbbb", "aaaaabbbbb")])
        for name, frames in (("anna", anna), ("ben", ben))
    ]
    write_version(objects, "kitchen", table)
    assert "Agreement" not in command.run("info", "kitchen").stdout
    write_version(objects, "kitchen", table, agreement=to_manifest(agreement(some)))
    shown = " ".join(command.run("info", "kitchen").stdout.split())
    assert "Agreement of annotators, with 95 % intervals (edges: median, in frames)" in shown
    assert "task phase 2 0.90 (0.82 to 1.00) 1.00 (1.00 to 1.00) 1.00 (1.00 to 1.00) 0.00 (0.00 to 0.00)" in shown
    found = command.json("info", "kitchen")["agreement"]["tasks"][0]
    assert found["pairs"][0]["annotators"] == [1, 2]
    assert found["tracks"][0]["measures"]["frame_iou"]["value"] == 0.9048


def test_sizes_are_those_of_the_files(command: Command, shards: tuple[Command, list[ShardRecord]]) -> None:
    sizes = command.json("info", "kitchen", "--sizes")["sizes"]
    files = [path for path in (command.workspace / "shards").rglob("*") if path.is_file()]
    assert sizes["shard_bytes"] == sum(path.stat().st_size for path in files)
    assert sizes["shard_bytes"] == sum(shard.size_bytes for shard in shards[1])
    assert (sizes["shards"], sizes["shard_frames"]) == (2, 1200)
    assert sizes["shard_bytes_a_frame"] == pytest.approx(sizes["shard_bytes"] / 1200)
    assert (sizes["videos"], sizes["videos_missing"], sizes["video_bytes"]) == (1, 1, 6000)
    assert sizes["video_bytes_a_frame"] == 10
    shown = command.run("info", "kitchen", "--sizes").stdout
    assert "bytes a frame" in shown and "not in the workspace: 1." in shown


def test_statistics_are_written_once_and_shown(command: Command) -> None:
    file = command.workspace / "datasets/kitchen/versions/000001.statistics.json"
    assert not file.exists()
    done = command.run("info", "kitchen", "--statistics")
    content = file.read_bytes()
    assert "Reading arrays" in done.stderr and "They lie beside the version" in done.stdout
    for words in ("left_hand", "wrist_pose qw", "hands_world z", "grip"):
        assert words in done.stdout
    assert "Reading arrays" not in command.run("info", "kitchen", "--statistics").stderr
    found = command.json("info", "kitchen", "--statistics")["statistics"]
    assert found.pop("is_stored") and found == json.loads(content)
    assert found["frames"] == 1200 and file.read_bytes() == content
    file.write_bytes(content[:-9])
    assert "delete it, and it will be computed anew" in command.error("info", "kitchen", "--statistics")
    assert command.json("info", "kitchen")["number"] == 1, "what is not asked for is not read"
    file.unlink()


def test_a_version_without_episodes_is_empty_and_no_error(tmp_path: Path) -> None:
    command = Command.in_new_workspace(tmp_path / "workspace")
    write_version(open_objects(command.workspace), "none", make_table([]))
    found = command.json("info", "none", "--sizes", "--statistics")
    assert (found["total"], found["found"], found["by_label"]) == (amount(0, 0, 0.0), None, {})
    assert found["sizes"]["shard_bytes"] == found["statistics"]["frames"] == 0
    command.run("info", "none", "--sizes", "--statistics")
