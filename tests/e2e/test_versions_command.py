"""The commands on published versions: what differs between two, and how fast one streams."""

from pathlib import Path

import pytest

from kinesphere.objects.store import Objects, open_objects
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import write_shard
from tests.support.command import Command
from tests.support.generated_trajectories import make_row, make_table, make_trajectory


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """A workspace with two versions of `kitchen`: one episode leaves, one comes, one is labelled."""
    command = Command.in_new_workspace(tmp_path / "workspace")
    publish_two(open_objects(command.workspace))
    return command


def publish_two(objects: Objects) -> None:
    shard = write_shard(objects, [make_trajectory(2000, contributor="c001")])
    first, second, third = (
        make_row(shard, episode=name, first_frame=place * 600, length=600, end_ns=36 * 10**12)
        for place, name in enumerate(("first", "second", "third"))
    )
    write_version(objects, "kitchen", make_table([first, second]))
    write_version(objects, "kitchen", make_table([second | {"label": "pour"}, third]))


def test_diff_lists_what_came_went_and_was_labelled(command: Command) -> None:
    found = command.json("diff", "kitchen@1", "kitchen@2")
    assert (found["added"], found["removed"], found["moved"]) == (["third"], ["first"], [])
    assert found["relabelled"] == [{"episode": "second", "before": {"label": None}, "after": {"label": "pour"}}]
    assert found["hours_by_contributor"] == {"c001": {"before": 20.0, "after": 20.0}}
    shown = command.run("diff", "kitchen@1", "kitchen").stdout
    for words in ("From kitchen@1 to kitchen@2", "label: - > pour", "third", "20.000"):
        assert words in shown
    assert "two datasets" in command.error("diff", "kitchen@1", "garage@1")
    assert "no version of kitchen named '7'" in command.error("diff", "kitchen@1", "kitchen@7")


def test_diff_shows_some_of_many_changes_and_says_how_many_there_are(command: Command) -> None:
    objects = open_objects(command.workspace)
    shard = write_shard(objects, [make_trajectory(2000, contributor="c001")])
    rows = [make_row(shard, episode=f"e{place:04d}", first_frame=place, length=9) for place in range(1100)]
    write_version(objects, "kitchen", make_table(rows))
    shown = command.run("diff", "kitchen@2", "kitchen@3").stdout
    assert "1102 changes" in shown and "102 more changes are not shown; --json gives all." in shown
    assert "e0999" in shown and "e1000" not in shown
    assert len(command.json("diff", "kitchen@2", "kitchen@3")["added"]) == 1100


def test_bench_stream_measures_both_types(command: Command) -> None:
    measured = command.json("bench", "stream", "kitchen", "--seconds", "0.4")
    assert [speed["dtype"] for speed in measured] == ["float32", "int16"]
    assert all(speed["windows_per_second"] > 100 and speed["first_batch_seconds"] > 0 for speed in measured)
    assert "windows/CPU-s" in command.run("bench", "stream", "kitchen@1", "--seconds", "0.2").stdout
    assert "too few to measure" in command.error("bench", "stream", "kitchen", "--batch-size", "10000")


def test_bench_stream_counts_requests_with_and_without_a_cache(command: Command, tmp_path: Path) -> None:
    arguments = ("bench", "stream", "kitchen", "--seconds", "0.2", "--keys", "grip, valid")
    assert all(speed["requests_per_1000_windows"] > 0 for speed in command.json(*arguments))
    command.run(*arguments, "--cache", str(tmp_path / "cache"))
    cached = command.json(*arguments, "--cache", str(tmp_path / "cache"))
    assert [speed["requests_per_1000_windows"] for speed in cached] == [0, 0]
    assert "no size; write HEIGHTxWIDTH" in command.error(*arguments, "--video-size", "224")
    assert "mp4' is missing" in command.error("bench", "stream", "kitchen", "--keys", "video", "--video-size", "64x64")
