"""Erasure: nothing of the person is left, everything of the others is, wherever it was interrupted."""

from __future__ import annotations

import json
import re
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from kinesphere import Withdrawn
from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import Conflict, CorruptObject, NotFound
from kinesphere.objects.cached_objects import CACHE_VARIABLE
from kinesphere.objects.disk_cache import DiskCache
from kinesphere.objects.store import open_objects
from kinesphere.versions.manifests import list_versions, read_episodes, read_manifest, read_version
from kinesphere.video.video_keys import video_key
from storage.catalog import Catalog, ErasureRecord, Erasures, Exports, GoldRecordings, ReviewLeases, Reviews
from storage.erasure.cache_erasure import cached, forget_cached
from storage.erasure.derived_pictures import note_drawings
from storage.erasure.erasure import erase, tombstone_key
from storage.erasure.erasure_check import find_traces
from storage.exports import export_version
from storage.publishing.publish import publish
from storage.publishing.publish_rules import PublishSettings
from storage.publishing.version_writer import write_version
from storage.recordings.recording import State, description_key
from storage.shards.shard_writer import write_shard
from storage.tasks.task import ReviewRules
from storage.workspace import Workspace, create_workspace, open_workspace
from tests.support.generated_trajectories import make_row, make_table, make_trajectory
from tests.support.interruptions import Killed, killed_at
from tests.support.own_arrays import own_trajectory
from tests.support.populated_workspaces import accept_recording, add_recording, describe, populate
from tests.support.submitted_takes import TASK

PEOPLE = {"anna": 2, "ben": 1, "carla": 1}


@pytest.fixture
def kitchen(workspace: Workspace) -> Workspace:
    """Two versions of "kitchen": one of anna and ben, one of all; and "garden", of anna alone."""
    return make_kitchen(workspace)


def make_kitchen(workspace: Workspace) -> Workspace:
    populate(workspace, PEOPLE)
    workspace.catalog.add_contributor("eve")
    publish(workspace, "kitchen", PublishSettings(where="contributor != 'carla'"), created_by="eve")
    publish(workspace, "kitchen", created_by="eve")
    publish(workspace, "garden", PublishSettings(where="contributor = 'anna'"), created_by="eve")
    return workspace


def opened(workspace: Workspace, name: str, version: int | None = None) -> Dataset:
    return open_dataset(workspace.dataset_location(name), version)


def contributors_of(dataset: Dataset) -> set[str]:
    return set(dataset.episodes["contributor"].to_pylist())


def erased(workspace: Workspace, contributor: str | None = "anna") -> dict[str, Any]:
    done = erase(workspace, contributor, who="eve")
    assert done is not None and done.tombstone is not None
    return dict(done.tombstone)


def test_nothing_is_left_and_the_others_stay_as_they_were(kitchen: Workspace) -> None:
    before = opened(kitchen, "kitchen")
    (ben,) = (row for row, name in enumerate(before.episodes["contributor"].to_pylist()) if name == "ben")
    frames = before.episode(ben)
    tombstone = erased(kitchen)
    assert find_traces(kitchen, "anna") == []
    for key in kitchen.objects.keys(""):
        if not key.startswith("catalog.sqlite"):
            assert b"anna" not in kitchen.objects.get(key), key
    assert b"anna" not in dump(kitchen.catalog).encode()
    after = opened(kitchen, "kitchen")
    assert contributors_of(after) == {"ben", "carla"}
    (ben,) = (row for row, name in enumerate(after.episodes["contributor"].to_pylist()) if name == "ben")
    assert all((frames[name] == values).all() for name, values in after.episode(ben, ["timestamp", "valid"]).items())
    assert tombstone["counts"] == {
        "recordings": 2, "frames": 80, "seconds": pytest.approx(80 / 30, abs=1e-6), "shards": 2, "versions": 3,
        "exports": 0,
    }  # fmt: skip
    assert json.loads(kitchen.objects.get(tombstone_key(tombstone["receipt"]))) == tombstone


def test_each_version_is_replaced_and_says_by_which(kitchen: Workspace) -> None:
    erased(kitchen)
    assert list_versions(kitchen.objects, "kitchen") == [1, 2, 3, 4]
    assert contributors_of(opened(kitchen, "kitchen", 3)) == {"ben"}
    assert contributors_of(opened(kitchen, "kitchen", 4)) == {"ben", "carla"}
    assert opened(kitchen, "kitchen").version == 4
    for number, heir in ((1, 3), (2, 4)):
        with pytest.raises(Withdrawn, match=rf"kitchen@{number} was withdrawn.*use version {heir}, without them"):
            opened(kitchen, "kitchen", number)
        assert not kitchen.objects.exists(f"datasets/kitchen/versions/{number:06d}.parquet")
    with pytest.raises(Withdrawn, match=r"garden@1 was withdrawn.*nothing of it is left; publish again"):
        opened(kitchen, "garden")
    assert read_manifest(kitchen.objects, "kitchen", 3).manifest["where"] == "contributor != 'carla'"


def test_two_erasures_lead_from_the_first_version_to_the_last(kitchen: Workspace) -> None:
    erased(kitchen)
    erased(kitchen, "carla")
    with pytest.raises(Withdrawn, match="use version 5, without them"):
        opened(kitchen, "kitchen", 2)
    assert contributors_of(opened(kitchen, "kitchen")) == {"ben"}


def test_the_newest_version_stays_the_newest_where_only_an_older_one_is_replaced(workspace: Workspace) -> None:
    populate(workspace, PEOPLE)
    publish(workspace, "kitchen")
    publish(workspace, "kitchen", PublishSettings(where="contributor != 'anna'"))
    erased(workspace)
    newest = opened(workspace, "kitchen")
    assert newest.manifest["erasure"]["repeats"] == 2
    assert newest.episodes.equals(opened(workspace, "kitchen", 2).episodes)
    assert newest.manifest["where"] is None, "it would name whom nothing is to name"
    assert publish(workspace, "kitchen").is_new is False


def test_who_reads_meanwhile_is_told_that_the_version_was_withdrawn(kitchen: Workspace) -> None:
    reading = opened(kitchen, "kitchen")
    erased(kitchen)
    with pytest.raises(Withdrawn, match="kitchen@2 was withdrawn"):
        for _ in reading.stream(window=8, batch_size=4):
            pass


def test_erased_again_it_says_what_was_done(kitchen: Workspace) -> None:
    first = erased(kitchen)
    before = state_of(kitchen)
    assert erased(kitchen) == first
    assert state_of(kitchen) == before
    with pytest.raises(NotFound, match="no contributor named 'nobody'"):
        erase(kitchen, "nobody", who="eve")


def test_enrolled_anew_they_can_be_erased_anew(kitchen: Workspace) -> None:
    first = erased(kitchen)
    populate(kitchen, {"anna": 1})
    publish(kitchen, "kitchen")
    second = erased(kitchen)
    assert second["receipt"] != first["receipt"]
    assert find_traces(kitchen, "anna") == []
    assert len(Erasures(kitchen.catalog).erased("anna")) == 2


def test_only_withdrawn_recordings_are_erased_without_a_name(kitchen: Workspace) -> None:
    taken_back, kept = kitchen.catalog.recordings(contributor="anna")
    kitchen.catalog.withdraw(taken_back.recording, who="anna", why="changed my mind")
    tombstone = erased(kitchen, None)
    assert tombstone["recordings"] == [taken_back.recording]
    assert tombstone["contributor_sha256"] is None
    assert kitchen.catalog.recording(taken_back.recording).state is State.ERASED
    assert not kitchen.objects.exists(video_key(taken_back.recording))
    assert set(opened(kitchen, "garden").episodes["recording"].to_pylist()) == {kept.recording}
    assert erase(kitchen, None, who="eve") is None


def test_a_shard_that_others_recordings_share_is_not_touched(workspace: Workspace) -> None:
    populate(workspace, {"anna": 1})
    both = [describe("anna", seed=seed) for seed in (7, 8)]
    trajectories = [make_trajectory(40, seed=1, recording=d.recording, contributor="anna") for d in both]
    shard = write_shard(workspace.objects, trajectories)
    for description, span in zip(both, shard.spans, strict=True):
        add_recording(workspace, "anna", seed=int(description.recording[-8:], 16), accept=False)
        found = accepted_at(description.recording, shard.shard_id, span.first_frame)
        workspace.catalog.record_outcome(
            description.recording, State.ACCEPTED, checks=[], trajectory=found, who="", why=""
        )
    workspace.catalog.withdraw(both[0].recording, who="anna", why="")
    with pytest.raises(Conflict, match=f"shard {shard.shard_id} also holds recording {both[1].recording}"):
        erase(workspace, None, who="eve")
    assert erased(workspace)["counts"]["shards"] == 2, "the whole contributor can go"


def accepted_at(recording: str, shard: str, first_frame: int) -> Any:
    from storage.catalog import TrajectoryRecord

    return TrajectoryRecord(recording, "x", shard, first_frame, 40, "relative", 1.0, 1.0, 1.0)


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


def test_arrays_of_a_writer_that_died_long_ago_go_too(kitchen: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    kitchen.objects.put("shards/0123.zarr/valid/c/0", b"motion")
    (trace,) = find_traces(kitchen, "nobody")
    assert "nobody can tell whose it is" in trace.what
    erased(kitchen)
    assert kitchen.objects.exists("shards/0123.zarr/valid/c/0"), "it may be being written"
    monkeypatch.setattr("storage.erasure.erasure._ABANDONED", timedelta(days=-1))
    erased(kitchen, "carla")
    assert not kitchen.objects.exists("shards/0123.zarr/valid/c/0")


def test_published_while_they_leave_it_is_published_without_them(kitchen: Workspace) -> None:
    def leave(recordings: Any) -> None:
        if "anna" in kitchen.catalog.contributors():
            erase(kitchen, "anna", who="eve")

    version = publish(kitchen, "kitchen", PublishSettings(episodes="recordings"), before_writing=leave)
    assert contributors_of(opened(kitchen, "kitchen", version.number)) == {"ben", "carla"}
    assert find_traces(kitchen, "anna") == []
    with pytest.raises(Withdrawn):
        opened(kitchen, "kitchen", version.number - 1)


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


def test_a_version_that_cannot_be_read_stops_it_before_anything_is_deleted(kitchen: Workspace) -> None:
    kitchen.objects.put("datasets/kitchen/versions/000001.parquet", b"damaged")
    with pytest.raises(CorruptObject, match=r"'datasets/kitchen/versions/000001.parquet' was changed"):
        erase(kitchen, "anna", who="eve")
    assert all(kitchen.objects.exists(video_key(row.recording)) for row in kitchen.catalog.recordings())
    assert any("cannot be read" in trace.what for trace in find_traces(kitchen, "anna"))


def make_exported_kitchen(folder: Path) -> Workspace:
    """`make_kitchen` with a copy of its first version, and of "garden" in files that cannot do without anna."""
    made = make_kitchen(create_workspace(folder))
    export_version(made, "kitchen", 1, made.folder / "exports/copy", format_name="kinesphere")
    export_version(made, "garden", None, made.folder / "exports/plain", format_name="parquet", keys=["grip"])
    return made


def test_killed_at_any_change_and_repeated_it_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, before = tmp_path / "kitchen", tmp_path / "before"
    make_exported_kitchen(folder).catalog.close()
    shutil.copytree(folder, before)
    whole = open_workspace(folder)
    with killed_at(monkeypatch, -1) as changes:
        erase(whole, "anna", who="eve")
    expected = state_of(whole)
    whole.catalog.close()
    assert len(changes) > 30
    for number in range(len(changes)):
        shutil.rmtree(folder)
        shutil.copytree(before, folder)  # to the same place, which exports remember
        interrupted = open_workspace(folder)
        with killed_at(monkeypatch, number), pytest.raises(Killed):
            erase(interrupted, "anna", who="eve")
        interrupted.catalog.close()
        again = open_workspace(folder)
        erase(again, "anna", who="eve")
        assert find_traces(again, "anna") == []
        assert state_of(again) == expected, f"killed before change {number}, {changes[number]}"
        again.catalog.close()


def state_of(workspace: Workspace) -> dict[str, str]:
    """Everything that is there, but for receipts, moments and the hashes that follow from them."""
    receipts = {record.receipt: f"<receipt {n}>" for n, record in enumerate(Erasures(workspace.catalog).done())}
    receipts |= {record.export: f"<export {n}>" for n, record in enumerate(Exports(workspace.catalog).all())}

    def plain(content: str) -> str:
        for receipt, name in receipts.items():
            content = content.replace(receipt, name)
        content = re.sub(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d+:]*", "<moment>", content)
        return re.sub(r'"(sha256|contributor_sha256)": "[0-9a-f]{64}"', r'"\1": "<hash>"', content)

    objects = workspace.objects
    keys = [key for key in objects.keys("") if not key.startswith(("catalog.sqlite", "workspace.toml"))]
    folders = [str(path.relative_to(objects.url)) for path in Path(objects.url).rglob("*") if path.is_dir()]
    texts = {plain(key): plain(objects.get(key).decode()) if key.endswith(".json") else "" for key in keys}
    rows = plain(dump(workspace.catalog)).splitlines()
    return texts | {"folders": "\n".join(sorted(folders)), "catalog": "\n".join(sorted(rows))}


_DUMPED = ("contributor", "recording", "event", "trajectory", "segment", "check_result", "erasure", "export")


def dump(catalog: Catalog) -> str:
    """All rows of all tables, but for numbers that count up."""
    lines = []
    with catalog.reading() as session:
        for table in (
            "contributor",
            "recording",
            "event",
            "trajectory",
            "segment",
            "check_result",
            "erasure",
            "export",
        ):
            rows = session.execute(text(f"select * from {table}")).mappings()
            lines += sorted(f"{table} " + str({key: row[key] for key in row if key != "event"}) for row in rows)
    return "\n".join(lines)


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


def rows_of(dataset: Dataset, contributor: str) -> list[dict[str, Any]]:
    return [row for row in dataset.episodes.to_pylist() if row["contributor"] == contributor]


def test_on_postgresql_and_s3(tmp_path: Path, postgres_url: str, s3_url: str) -> None:
    place = make_kitchen(create_workspace(tmp_path / "team", catalog=postgres_url, store=s3_url))
    erased(place)
    assert find_traces(place, "anna") == []
    assert b"anna" not in dump(place.catalog).encode()
    assert contributors_of(opened(place, "kitchen")) == {"ben", "carla"}
    place.catalog.close()


def test_the_work_follows_the_person_not_the_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    for others in (3, 30):
        place = create_workspace(tmp_path / str(others))
        populate(place, {"anna": 2} | {f"c{number}": 1 for number in range(others)}, frames=8)
        publish(place, "kitchen")
        with killed_at(monkeypatch, -1) as changes:
            erase(place, "anna", who="eve")
        counted.append(changes)
        place.catalog.close()
    assert counted[0] == counted[1]


def test_a_person_who_also_reviewed_leaves_no_name_there(kitchen: Workspace) -> None:
    description = add_recording(kitchen, "ben", seed=60, accept=False)
    accept_recording(kitchen, description, seed=60)
    kitchen.catalog.withdraw(description.recording, who="anna", why="as a reviewer")
    erased(kitchen)
    events = kitchen.catalog.events(description.recording)
    assert events[-1].who == "(erased)"
    assert "(erased)" not in kitchen.catalog.contributors()


def test_nothing_of_reviews_is_left_of_a_person_nor_of_their_recordings(workspace: Workspace) -> None:
    """Anna's recordings wait, are looked at and are known answers; she herself reviews, and marks known answers."""
    task = TASK.model_copy(update={"name": "checked", "review": ReviewRules(spot_check_share=1, gold_share=0)})
    workspace.catalog.add_task(task)
    populate(workspace, {"anna": 0, "ben": 0})
    names = {"anna": list[str](), "ben": list[str]()}
    for seed, contributor in enumerate(["anna", "anna", "anna", "ben", "ben"]):
        description = describe(contributor, seed=seed).model_copy(update={"task": "checked"})
        workspace.catalog.add_recording(description, who=contributor)
        workspace.catalog.submit(description.recording, who=contributor)
        accept_recording(workspace, description, seed=seed)
        names[contributor].append(description.recording)
    reviews, golds = Reviews(workspace.catalog), GoldRecordings(workspace.catalog)
    leases = ReviewLeases(workspace.catalog)
    for recording in (names["anna"][0], names["ben"][0]):
        reviews.decide(recording, "accept", reviewer="ben" if recording in names["anna"] else "anna", feedback="")
        golds.mark(recording, who="anna")
    assert leases.lease(names["anna"][1], "eve").recording == names["anna"][1]
    assert leases.lease(names["ben"][1], "anna").reviewer == "anna"
    erased(workspace)
    assert find_traces(workspace, "anna") == []
    left = dump(workspace.catalog)
    assert "anna" not in left
    for table in ("review", "review_request", "review_lease", "gold", "check_result"):
        lines = [line for line in left.splitlines() if line.startswith(f"{table} ")]
        assert all(name not in line for name in names["anna"] for line in lines), table
    assert [gold.marked_by for gold in golds.all()] == ["(erased)"]
    (waiting,) = reviews.queue()
    assert waiting.recording.recording == names["ben"][1] and waiting.leased_by is None


def test_a_version_written_before_erasures_were_known_is_read(workspace: Workspace) -> None:
    shard = write_shard(workspace.objects, [make_trajectory(90, seed=1)])
    version = write_version(workspace.objects, "kitchen", make_table([make_row(shard)]))
    assert "erasure" not in version.manifest
    assert read_episodes(workspace.objects, version).num_rows == 1


def test_a_record_says_who_erased(kitchen: Workspace) -> None:
    done = erase(kitchen, "anna", who="eve")
    assert isinstance(done, ErasureRecord)
    assert (done.who, done.contributor) == ("eve", None)
    assert done.done_at is not None and done.done_at >= done.begun_at


def test_a_version_whose_table_lies_in_parts_is_replaced_whole(
    kitchen: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.publishing.table_writer.PART_ROWS", 2)
    version = publish(kitchen, "kitchen", PublishSettings(episodes="recordings"))
    assert len(version.manifest["episodes"]["parts"]) == 2
    kitchen.objects.put(
        "datasets/kitchen/versions/000009.0001.parquet",
        kitchen.objects.get(version.manifest["episodes"]["parts"][0]["key"]),
    )
    erased(kitchen)
    assert find_traces(kitchen, "anna") == []
    assert contributors_of(opened(kitchen, "kitchen")) == {"ben", "carla"}
    left = [key for key in kitchen.objects.keys("datasets/kitchen/versions") if "00000" + str(version.number) in key]
    assert left == [f"datasets/kitchen/versions/{version.number:06d}.json"]
    assert not kitchen.objects.exists("datasets/kitchen/versions/000009.0001.parquet")
