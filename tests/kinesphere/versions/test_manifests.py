"""Versions: numbered, immutable, never two under one number, and damage or a later format is an error by name."""

import json
import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from kinesphere.dataset import open_dataset
from kinesphere.errors import CorruptObject, InvalidInput, NewerFormat, NotFound
from kinesphere.objects.store import Objects, open_objects
from kinesphere.versions.episode_table import EPISODE_SCHEMA
from kinesphere.versions.manifests import list_datasets, list_versions, read_episodes, read_version
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import ShardRecord, write_shard
from tests.support.generated_trajectories import make_row, make_table, make_trajectory

MANIFEST = "datasets/kitchen/versions/000001.json"


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return open_objects(tmp_path)


@pytest.fixture
def shard(objects: Objects) -> ShardRecord:
    return write_shard(objects, [make_trajectory(90, seed=1), make_trajectory(60, seed=2)])


def test_a_version_says_what_it_holds(objects: Objects, shard: ShardRecord) -> None:
    table = make_table([make_row(shard, 0, label="pour"), make_row(shard, 1, label=None)])
    version = write_version(objects, "kitchen", table, where="length > 10", created_by="eve")
    assert (version.dataset, version.number, version.is_new) == ("kitchen", 1, True)
    manifest = read_version(objects, "kitchen").manifest
    assert manifest == version.manifest
    assert manifest["counts"] == {
        "episodes": 2, "frames": 150, "seconds": pytest.approx(5.0), "contributors": 1, "recordings": 2, "tasks": 1,
        "shards": 1,
    }  # fmt: skip
    assert manifest["labels"] == {"": 1, "pour": 1}
    assert (manifest["parent"], manifest["where"], manifest["created_by"]) == (None, "length > 10", "eve")
    assert read_episodes(objects, version).equals(table)
    assert read_episodes(objects, version).schema == EPISODE_SCHEMA


def test_relabelling_gives_the_next_number_and_old_versions_stay(objects: Objects, shard: ShardRecord) -> None:
    first = make_table([make_row(shard, 0, label="pour")])
    second = make_table([make_row(shard, 0, label="reach")])
    write_version(objects, "kitchen", first)
    version = write_version(objects, "kitchen", second)
    assert (version.number, version.manifest["parent"]) == (2, 1)
    assert list_versions(objects, "kitchen") == [1, 2]
    assert read_version(objects, "kitchen").number == 2
    assert read_episodes(objects, read_version(objects, "kitchen", 1)).equals(first)
    assert list_datasets(objects) == ["kitchen"]


def test_the_same_episodes_again_are_the_same_version(objects: Objects, shard: ShardRecord) -> None:
    table = make_table([make_row(shard, 0)])
    first = write_version(objects, "kitchen", table, created_by="eve")
    before = objects.keys("")
    again = write_version(objects, "kitchen", table, created_by="mallory")
    assert (again.number, again.is_new) == (1, False)
    assert again.manifest == first.manifest
    assert objects.keys("") == before


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_publishers_at_once_get_different_numbers_and_all_can_be_read(
    tmp_path: Path, objects: Objects, shard: ShardRecord, kind: str
) -> None:
    spawn = multiprocessing.get_context("spawn")
    make: Any = threading.Thread if kind == "threads" else spawn.Process
    publishers = [make(target=publish_one, args=(tmp_path, shard, number)) for number in range(4)]
    for publisher in publishers:
        publisher.start()
    for publisher in publishers:
        publisher.join(60)
    numbers = list_versions(objects, "kitchen")
    assert len(numbers) == 4
    labels = set()
    for number in numbers:
        dataset = open_dataset(tmp_path / "datasets/kitchen", number)
        labels.add(dataset.episodes["label"][0].as_py())
        assert dataset.episode(0)["grip"].shape == (90, 2)
    assert labels == {"label-0", "label-1", "label-2", "label-3"}


def publish_one(folder: Path, shard: ShardRecord, number: int) -> None:
    write_version(open_objects(folder), "kitchen", make_table([make_row(shard, 0, label=f"label-{number}")]))


def test_a_publisher_that_died_leaves_a_gap_and_no_version(objects: Objects, shard: ShardRecord) -> None:
    objects.put("datasets/kitchen/versions/000001.parquet", b"half a publisher")
    with pytest.raises(NotFound, match="no dataset named 'kitchen'"):
        read_version(objects, "kitchen")
    assert write_version(objects, "kitchen", make_table([make_row(shard)])).number == 2
    assert list_versions(objects, "kitchen") == [2]


def test_what_is_not_there_is_named_with_what_is(objects: Objects, shard: ShardRecord) -> None:
    write_version(objects, "kitchen", make_table([make_row(shard)]))
    with pytest.raises(NotFound, match=r"no version of kitchen named '3' \(there is: 1\)"):
        read_version(objects, "kitchen", 3)
    with pytest.raises(NotFound, match=r"no dataset named 'garden' \(there is: kitchen\)"):
        read_version(objects, "garden")


def test_a_later_format_is_refused_by_name(objects: Objects, shard: ShardRecord) -> None:
    write_version(objects, "kitchen", make_table([make_row(shard)]))
    manifest = json.loads(objects.get(MANIFEST))
    objects.put(MANIFEST, json.dumps(manifest | {"format_version": 3}).encode())
    with pytest.raises(NewerFormat, match=r"kitchen@1 was written by a newer kinesphere \(format 3"):
        read_version(objects, "kitchen")
    with pytest.raises(NewerFormat, match="kitchen@1"):
        write_version(objects, "kitchen", make_table([make_row(shard, 1)]))


@pytest.mark.parametrize(
    "damage",
    [
        lambda good: good.replace(b'"episodes": 1', b'"episodes": 9'),
        lambda good: good.replace(b'"where": null', b'"where": "length > 3"'),
        lambda good: good[:-20],
        lambda good: b"[1]",
        lambda good: b"",
    ],
    ids=["count", "where", "truncated", "list", "empty"],
)
def test_a_manifest_edited_by_hand_is_an_error_that_names_it(objects: Objects, shard: ShardRecord, damage: Any) -> None:
    write_version(objects, "kitchen", make_table([make_row(shard)]))
    objects.put(MANIFEST, damage(objects.get(MANIFEST)))
    with pytest.raises(CorruptObject, match=f"object '{MANIFEST}'"):
        read_version(objects, "kitchen")


def test_an_episode_table_that_changed_or_is_gone_is_an_error_that_names_it(
    objects: Objects, shard: ShardRecord
) -> None:
    version = write_version(objects, "kitchen", make_table([make_row(shard)]))
    key = version.manifest["episodes"]["key"]
    objects.put(key, objects.get(key)[:-1] + b"!")
    with pytest.raises(CorruptObject, match=f"object '{key}' was changed"):
        read_episodes(objects, version)
    objects.delete(key)
    with pytest.raises(CorruptObject, match=f"object '{key}' is missing"):
        read_episodes(objects, version)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (lambda shard: make_table([make_row(shard), make_row(shard)]), "occurs more than once"),
        (lambda shard: make_table([make_row(shard, length=0)]), "at least one frame"),
        (lambda shard: make_table([make_row(shard)]).drop_columns("label"), "does not fit its schema"),
        (lambda shard: make_table([make_row(shard, shard=None)]), "does not fit its schema"),
        (lambda shard: pa.table({"episode": ["a"]}), "does not fit its schema"),
    ],
    ids=["twice", "no frames", "no label column", "no shard", "other columns"],
)
def test_a_table_that_cannot_be_a_version_is_refused(
    objects: Objects, shard: ShardRecord, table: Any, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        write_version(objects, "kitchen", table(shard))
    assert objects.keys("datasets") == []


def test_a_name_that_cannot_be_a_folder_is_refused(objects: Objects, shard: ShardRecord) -> None:
    with pytest.raises(InvalidInput, match="cannot name a dataset"):
        write_version(objects, "../kitchen", make_table([make_row(shard)]))
