"""Versions of many episodes: in parts, read as far as needed, published in seconds, and the same as small ones."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import CorruptObject, InvalidInput, NewerFormat
from kinesphere.objects.store import Objects, open_objects
from kinesphere.versions.episode_table import EPISODE_SCHEMA
from kinesphere.versions.manifests import list_versions, read_episodes, read_version, version_keys
from kinesphere.versions.version_difference import compare_versions
from kinesphere.where import where_expression
from storage.publishing import table_writer
from storage.publishing.table_writer import clustered
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import ShardRecord, write_shard
from tests.support.expected_windows import same_batches
from tests.support.generated_trajectories import make_row, make_table, make_trajectory

FOLDER = "datasets/kitchen/versions"
FIRST, SECOND, THIRD = (f"{FOLDER}/000001{part}.parquet" for part in ("", ".0001", ".0002"))
MANIFEST = f"{FOLDER}/000001.json"


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_writer, "PART_ROWS", 40)
    monkeypatch.setattr(table_writer, "ROW_GROUP_ROWS", 8)


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return open_objects(tmp_path)


@pytest.fixture
def shard(objects: Objects) -> ShardRecord:
    return write_shard(objects, [make_trajectory(900, seed=1)])


@pytest.fixture
def table(shard: ShardRecord) -> pa.Table:
    """A hundred episodes: of three tasks, five contributors, and in the last part alone some without a label."""
    labels = ("pour", "reach", "it's")
    rows = [
        make_row(
            shard,
            episode=f"e{place:03d}",
            task=f"task-{place // 34}",
            contributor=f"c{place // 20}",
            first_frame=8 * place,
            length=5 + place % 90,
            label=None if place > 80 and place % 7 == 0 else labels[place % 3],
            body_share=place / 100,
        )
        for place in range(100)
    ]
    return make_table(rows)


@pytest.fixture
def large(objects: Objects, table: pa.Table, tmp_path: Path) -> Dataset:
    write_version(objects, "kitchen", table)
    return open_dataset(tmp_path / "datasets/kitchen")


def test_a_large_table_lies_in_parts_that_the_manifest_describes(
    objects: Objects, table: pa.Table, large: Dataset
) -> None:
    manifest = read_version(objects, "kitchen").manifest
    assert manifest["format_version"] == 2, "so that an earlier release refuses it by name"
    assert "key" not in manifest["episodes"]
    parts = manifest["episodes"]["parts"]
    assert [(part["key"], part["rows"]) for part in parts] == [(FIRST, 40), (SECOND, 40), (THIRD, 20)]
    assert sum(part["size_bytes"] for part in parts) == manifest["episodes"]["size_bytes"]
    assert [part["bounds"]["contributor"] for part in parts] == [["c0", "c1"], ["c2", "c3"], ["c4", "c4"]]
    assert parts[0]["bounds"]["label"] == ["it's", "reach"] and "label" not in parts[2]["bounds"]
    assert not {"episode", "recording", "shard"} & set(parts[0]["bounds"])
    assert read_episodes(objects, read_version(objects, "kitchen")).equals(table)
    assert large.episodes.equals(table) and large.episodes.schema == EPISODE_SCHEMA
    assert large.episodes["length"].num_chunks == 1


def test_a_table_that_is_not_large_is_a_version_of_format_1(objects: Objects, table: pa.Table) -> None:
    manifest = write_version(objects, "kitchen", table.slice(0, 40)).manifest
    assert manifest["format_version"] == 1
    assert sorted(manifest["episodes"]) == ["key", "sha256", "size_bytes"]
    assert objects.keys(FOLDER) == [MANIFEST, FIRST]


def test_the_same_episodes_again_are_the_same_version_and_others_the_next(objects: Objects, table: pa.Table) -> None:
    first = write_version(objects, "kitchen", table)
    before = objects.keys("")
    assert not write_version(objects, "kitchen", table).is_new
    assert objects.keys("") == before
    second = write_version(objects, "kitchen", table.slice(1))
    assert (second.number, second.manifest["parent"]) == (2, 1)
    assert read_episodes(objects, first).equals(table)
    found = compare_versions(objects, "kitchen", 1, 2)
    assert (found.removed, found.added, found.relabelled) == (("e000",), (), ())


def test_the_keys_of_a_version_are_all_that_begin_with_its_number(objects: Objects, table: pa.Table) -> None:
    write_version(objects, "kitchen", table)
    write_version(objects, "kitchen", table.slice(0, 9))
    objects.put(f"{FOLDER}/000001.statistics.json", b"{}")
    assert version_keys(objects, "kitchen", 1) == [
        SECOND, THIRD, FIRST, f"{FOLDER}/000001.statistics.json", MANIFEST,
    ]  # fmt: skip
    assert version_keys(objects, "kitchen", 2) == [f"{FOLDER}/000002.parquet", f"{FOLDER}/000002.json"]
    objects.delete(MANIFEST)
    assert version_keys(objects, "kitchen", 1)[:3] == [SECOND, THIRD, FIRST]
    assert version_keys(objects, "kitchen", 3) == []


def test_publishers_at_once_get_different_numbers_and_none_the_parts_of_another(
    objects: Objects, table: pa.Table
) -> None:
    tables = [table.slice(place) for place in range(4)]
    threads = [threading.Thread(target=write_version, args=(objects, "kitchen", mine)) for mine in tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [read_episodes(objects, read_version(objects, "kitchen", n)) for n in list_versions(objects, "kitchen")]
    assert sorted(map(len, found)) == [97, 98, 99, 100]
    assert all(mine.equals(tables[100 - len(mine)]) for mine in found)


TEXTS = st.sampled_from(["'pour'", "'it''s'", "'c1'", "'c4'", "'task-2'", "''"])
NUMBERS = st.sampled_from(["0", "0.25", "0.9", "7", "60", "-1"])
COMPARISONS = st.one_of(
    st.builds("{} {} {}".format, st.sampled_from(["label", "contributor", "task"]),
              st.sampled_from(["=", "!=", "<", ">="]), TEXTS),
    st.builds("{} {} {}".format, st.sampled_from(["length", "body_share"]),
              st.sampled_from(["=", "!=", "<", ">="]), NUMBERS),
    st.builds("{} in ({}, {})".format, st.sampled_from(["label", "contributor"]), TEXTS, TEXTS),
    st.builds("body_share between {} and {}".format, NUMBERS, NUMBERS),
    st.sampled_from(["label is null", "label is not null", "object is null", "contributor is null",
                     "label like 'p%'", "contributor not like '%4'", "task = label", "length < image_width"]),
)  # fmt: skip
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds("({}) and {}".format, inner, inner),
        st.builds("{} or ({})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=4,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=CONDITIONS)
def test_what_is_chosen_while_reading_is_what_is_chosen_in_memory(large: Dataset, table: pa.Table, text: str) -> None:
    rows, chosen = large.select(["episode", "length"], text)
    assert "episodes" not in vars(large), "the whole table was read"
    expected = table.append_column("row", pa.array(np.arange(100))).filter(where_expression(text))
    assert rows.tolist() == expected["row"].to_pylist()
    assert chosen.equals(expected.select(["episode", "length"]))


def test_a_number_that_is_not_a_number_is_not_left_out(objects: Objects, table: pa.Table, tmp_path: Path) -> None:
    rates = np.full(100, 30, np.float32)
    rates[[3, 50]] = np.nan
    place = table.column_names.index("frame_rate")
    odd = table.set_column(place, EPISODE_SCHEMA.field("frame_rate"), pa.array(rates))
    write_version(objects, "kitchen", odd)
    rows, _ = open_dataset(tmp_path / "datasets/kitchen").select([], "not frame_rate <= 30")
    assert (
        rows.tolist()
        == odd.append_column("row", pa.array(np.arange(100)))
        .filter(where_expression("not frame_rate <= 30"))["row"]
        .to_pylist()
    )


def test_parts_in_which_nothing_can_match_are_not_read(objects: Objects, large: Dataset) -> None:
    for key in (FIRST, THIRD):
        objects.delete(key)
    rows, chosen = large.select(["label"], "contributor = 'c3' and task != 'task-9'")
    assert rows.tolist() == list(range(60, 80)) and len(chosen) == 20
    assert len(large.stream(5, 8, keys=["grip"], where="contributor = 'c3'")._spans.row) == 20
    with pytest.raises(CorruptObject, match=f"object '{FIRST}' is missing"):
        large.select([], "contributor = 'c1'")
    with pytest.raises(CorruptObject, match=f"object '{THIRD}' is missing"):
        large.select([], "contributor = 'c4'")


def test_the_table_is_read_when_it_is_asked_for_and_counts_come_from_the_manifest(
    objects: Objects, large: Dataset, tmp_path: Path
) -> None:
    content = objects.get(SECOND)
    objects.delete(SECOND)
    again = open_dataset(tmp_path / "datasets/kitchen")
    assert len(again) == 100 and "100 episodes" in repr(again)
    with pytest.raises(CorruptObject, match=f"object '{SECOND}' is missing"):
        _ = again.episodes
    objects.put(SECOND, content)
    assert again.episode("e050", ["grip"])["grip"].shape == (55, 2)


def test_a_stream_of_parts_gives_what_a_stream_of_one_file_gives(
    objects: Objects, shard: ShardRecord, table: pa.Table, large: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_writer, "PART_ROWS", 1000)
    small = Dataset(objects, write_version(objects, "small", table))
    for options in (
        {"shuffle": False},
        {"where": "label = 'pour' and body_share > 0.3"},
        {"balance": "label", "shuffle": True},
        {"balance": "contributor", "shuffle": True, "where": "label is not null"},
    ):
        streams = [data.stream(9, 16, ["grip", "timestamp"], **options) for data in (large, small)]
        assert same_batches(*(list(stream) for stream in streams)), options
    assert "episodes" not in vars(large)
    with pytest.raises(InvalidInput, match="cannot balance by 'lable'; the columns are episode, recording"):
        large.stream(9, 16, shuffle=True, balance="lable")
    with pytest.raises(InvalidInput, match="matches none of the 100 episodes of kitchen@1"):
        large.stream(9, 16, where="label = 'nothing'")
    with pytest.raises(InvalidInput, match="no column 'lable'; the columns are episode"):
        large.select(["lable"])


@pytest.mark.parametrize("key", [FIRST, SECOND, THIRD])
@pytest.mark.parametrize(
    "damage",
    [lambda good: good[:99] + bytes([good[99] ^ 4]) + good[100:], lambda good: good[:-1], lambda good: b""],
    ids=["flipped", "truncated", "emptied"],
)
def test_a_part_that_changed_is_an_error_that_names_it(
    objects: Objects, large: Dataset, key: str, damage: Callable[[bytes], bytes]
) -> None:
    objects.put(key, damage(objects.get(key)))
    with pytest.raises(CorruptObject, match=f"object '{key}' was changed after it was published"):
        _ = large.episodes
    with pytest.raises(CorruptObject, match=f"object '{key}' was changed after it was published"):
        large.select(["label"], "length > 0")


@pytest.mark.parametrize(
    "edit",
    [
        lambda manifest: manifest["episodes"]["parts"].pop(),
        lambda manifest: manifest["episodes"]["parts"].reverse(),
        lambda manifest: manifest["episodes"]["parts"][0].update(rows=39),
        lambda manifest: manifest["episodes"]["parts"][1]["bounds"].update(task=["a", "b"]),
        lambda manifest: manifest["episodes"].update(parts=[]),
        lambda manifest: manifest.update(format_version=1),
    ],
    ids=["fewer", "order", "rows", "bounds", "none", "format"],
)
def test_a_manifest_edited_by_hand_is_an_error_that_names_it(
    objects: Objects, large: Dataset, edit: Callable[[Any], Any], tmp_path: Path
) -> None:
    manifest = json.loads(objects.get(MANIFEST))
    edit(manifest)
    objects.put(MANIFEST, json.dumps(manifest).encode())
    with pytest.raises(CorruptObject, match=f"object '{MANIFEST}' was changed"):
        open_dataset(tmp_path / "datasets/kitchen")


def test_a_later_format_is_refused_by_name(objects: Objects, large: Dataset, tmp_path: Path) -> None:
    manifest = json.loads(objects.get(MANIFEST))
    objects.put(MANIFEST, json.dumps(manifest | {"format_version": 3}).encode())
    with pytest.raises(NewerFormat, match=r"kitchen@1 was written by a newer kinesphere \(format 3"):
        open_dataset(tmp_path / "datasets/kitchen")


def test_a_large_table_is_published_with_what_is_asked_for_together_side_by_side(table: pa.Table) -> None:
    mixed = table.take(np.random.default_rng(0).permutation(100))
    found = clustered(mixed)
    keys = list(zip(found["task"].to_pylist(), found["contributor"].to_pylist(), strict=True))
    assert keys == sorted(keys)
    places = {name: place for place, name in enumerate(mixed["episode"].to_pylist())}
    for task, contributor in set(keys):
        inside = found.filter(where_expression(f"task = '{task}' and contributor = '{contributor}'"))["episode"]
        order = [places[name] for name in inside.to_pylist()]
        assert order == sorted(order), "within a task and a contributor the order stays"
    assert clustered(mixed.slice(0, 40)).equals(mixed.slice(0, 40))
