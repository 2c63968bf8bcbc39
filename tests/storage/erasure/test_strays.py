"""Erasure finds what no catalog lists: caches, drawings, strays, and what others write meanwhile."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kinesphere import Withdrawn
from kinesphere.dataset import open_dataset
from kinesphere.objects.cached_objects import CACHE_VARIABLE
from kinesphere.objects.disk_cache import DiskCache
from kinesphere.objects.store import open_objects
from kinesphere.versions.manifests import read_version
from kinesphere.video.video_keys import video_key
from storage.erasure.cache_erasure import cached, forget_cached
from storage.erasure.derived_pictures import note_drawings
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.exports import export_version
from storage.publishing.publish import publish
from storage.publishing.publish_rules import PublishSettings
from storage.recordings.recording import description_key
from storage.shards.shard_writer import write_shard
from storage.workspace import Workspace, create_workspace
from tests.support.generated_trajectories import make_trajectory
from tests.support.kitchens import contributors_of, erased, make_kitchen, opened, rows_of
from tests.support.own_arrays import own_trajectory
from tests.support.populated_workspaces import add_recording, describe


def test_films_and_pictures_of_them_beside_the_workspace_go(kitchen: Workspace) -> None:
    files = {name: kitchen.folder / f"{name}.mp4" for name in ("anna", "ben", "mine")}
    for name, file in files.items():
        file.write_bytes(b"film")
        if name != "mine":
            (shown, *_) = kitchen.catalog.recordings(contributor=name)
            note_drawings(kitchen, [file], recording=shown.recording, contributor=name)
    assert str(files["anna"]) in {trace.where for trace in find_traces(kitchen, "anna")}
    erased(kitchen)
    assert {name for name, file in files.items() if file.exists()} == {"ben", "mine"}
    assert find_traces(kitchen, "anna") == []
    erased(kitchen, "ben")
    assert not files["ben"].exists() and not (kitchen.folder / "drawings.json").exists()


def test_what_readers_on_this_computer_keep_of_them_goes_too(
    tmp_path: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(cache))
    place = make_kitchen(create_workspace(tmp_path / "team", store=f"{s3_url}/cached"))
    export_version(place, "kitchen", None, f"{s3_url}/copy", format_name="kinesphere")
    for location in (place.dataset_location("kitchen"), f"{s3_url}/copy/datasets/kitchen"):
        reading = open_dataset(location)
        for row in range(len(reading)):
            reading.episode(row)
    before = len(list(cache.glob("??/*")))
    bens = len(cached([place.objects.url], [], [row["shard"] for row in rows_of(reading, "ben")]))
    assert before > 40 and bens > 5
    erased(place)
    kept = cached([place.objects.url], [], [row["shard"] for row in rows_of(reading, "ben")])
    assert len(kept) == bens, "others' stay"
    assert len(list(cache.glob("??/*"))) == before // 2, "half of the four recordings are theirs, in both places"
    assert find_traces(place, "anna") == []
    place.catalog.close()


@pytest.mark.parametrize("is_known", ["by the cache", "by the store"])
def test_arrays_of_their_own_go_from_the_cache_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_known: str
) -> None:
    objects = open_objects(tmp_path / "store", create=True)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    shard = write_shard(objects, [own_trajectory(20)])
    cache = DiskCache(tmp_path / "cache")
    keys = objects.keys(shard.key)
    assert f"{shard.key}/elbow_angle/c/0/0" in keys
    for key in keys:
        cache.keep(f"s3://b/{key}", objects.get(key))
    assert len(cached(["s3://b"], [], [shard.shard_id])) == len(keys)
    if is_known == "by the store":
        cache.forget(f"s3://b/{shard.key}/zarr.json")
        forget_cached(["s3://b"], [], [shard.shard_id], keys)
    else:
        forget_cached(["s3://b"], [], [shard.shard_id])
    assert not list((tmp_path / "cache").glob("??/*"))


def test_arrays_of_a_writer_that_died_long_ago_go_too(kitchen: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    kitchen.objects.put("shards/0123.zarr/valid/c/0", b"motion")
    (trace,) = find_traces(kitchen, "nobody")
    assert "nobody can tell whose it is" in trace.what
    erased(kitchen)
    assert kitchen.objects.exists("shards/0123.zarr/valid/c/0"), "it may be being written"
    monkeypatch.setattr("storage.erasure.unfinished_folders._ABANDONED", timedelta(days=-1))
    erased(kitchen, "carla")
    assert not kitchen.objects.exists("shards/0123.zarr/valid/c/0")


def test_what_no_catalog_knows_is_found_and_deleted(kitchen: Workspace) -> None:
    description = describe("anna", seed=90)
    kitchen.objects.put(description_key(description.recording), description.to_bytes())
    kitchen.objects.put(video_key(description.recording), b"video")
    stray = write_shard(kitchen.objects, [make_trajectory(30, seed=91, contributor="anna")])
    others = write_shard(kitchen.objects, [make_trajectory(30, seed=92, contributor="ben")])
    draft = kitchen.drafts / ".20261124-000000-0000000a.partial"
    draft.mkdir(parents=True)
    (draft / "begun.json").write_text(json.dumps({"contributor": "anna", "recording": "20261124-000000-0000000a"}))
    (draft / "video.mp4.partial").write_bytes(b"frames")
    assert {trace.what for trace in find_traces(kitchen, "anna")} >= {"draft", "names them"}
    erased(kitchen)
    assert find_traces(kitchen, "anna") == []
    assert not draft.exists()
    assert not kitchen.objects.exists(f"{stray.key}/zarr.json")
    assert kitchen.objects.exists(f"{others.key}/zarr.json")


def test_what_a_busy_process_writes_afterwards_goes_when_it_is_repeated(kitchen: Workspace) -> None:
    erased(kitchen)
    late = write_shard(kitchen.objects, [make_trajectory(30, seed=91, contributor="anna")])
    (trace,) = find_traces(kitchen, "anna")
    assert trace.where == late.key
    erased(kitchen)
    assert find_traces(kitchen, "anna") == []


def test_a_table_whose_publisher_died_goes_too(kitchen: Workspace) -> None:
    version = read_version(kitchen.objects, "garden")
    table = kitchen.objects.get("datasets/garden/versions/000001.parquet")
    kitchen.objects.put("datasets/garden/versions/000002.parquet", table)
    assert version.number == 1
    erased(kitchen)
    assert kitchen.objects.keys("datasets/garden/versions") == ["datasets/garden/versions/000001.json"]


def test_a_recording_added_meanwhile_goes_too(kitchen: Workspace) -> None:
    steps = []

    def add(step: str) -> None:
        if step == "clearing the catalog" and step not in steps:
            add_recording(kitchen, "anna", seed=77)
        steps.append(step)

    erase(kitchen, "anna", who="eve", on_step=add)
    assert steps.count("clearing the catalog") == 2
    assert find_traces(kitchen, "anna") == []


def test_published_while_they_leave_it_is_published_without_them(kitchen: Workspace) -> None:
    def leave(recordings: Any) -> None:
        if "anna" in kitchen.catalog.contributors():
            erase(kitchen, "anna", who="eve")

    version = publish(kitchen, "kitchen", PublishSettings(episodes="recordings"), before_writing=leave)
    assert contributors_of(opened(kitchen, "kitchen", version.number)) == {"ben", "carla"}
    assert find_traces(kitchen, "anna") == []
    with pytest.raises(Withdrawn):
        opened(kitchen, "kitchen", version.number - 1)
