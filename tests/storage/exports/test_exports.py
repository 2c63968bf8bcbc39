"""Exports: what is written, how it is entered, and that an erasure finds it wherever it is."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kinesphere import NotFound, Withdrawn
from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import Conflict, InvalidInput
from kinesphere.objects.store import open_objects
from storage.catalog import ExportRecord, Exports
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.exports import EXPORTERS, Content, export_version, forget_export
from storage.exports.export_target import NOTE, read_note
from storage.publishing.publish import publish
from storage.publishing.publish_rules import PublishSettings
from storage.workspace import Workspace, create_workspace
from tests.support.generated_trajectories import make_dataset
from tests.support.interruptions import Killed, killed_at
from tests.support.populated_workspaces import add_recording, populate

RATES = {"kinesphere": None, "lerobot": 20.0, "parquet": None}


@pytest.fixture
def kitchen(workspace: Workspace) -> Workspace:
    """A version "kitchen" of anna, ben and carla."""
    populate(workspace, {"anna": 2, "ben": 1, "carla": 1})
    publish(workspace, "kitchen", created_by="eve")
    return workspace


def exported(
    workspace: Workspace, location: str | Path, format_name: str = "kinesphere", **options: Any
) -> ExportRecord:
    options.setdefault("rate", RATES[format_name])
    return export_version(workspace, "kitchen", None, location, format_name=format_name, made_by="eve", **options)


def equal(ours: Dataset, theirs: Dataset) -> bool:
    """Whether two datasets hold the same episodes and frames."""
    assert ours.episodes.equals(theirs.episodes)
    return all(
        np.array_equal(values, theirs.episode(row)[name], equal_nan=values.dtype.kind == "f")
        for row in range(len(ours))
        for name, values in ours.episode(row).items()
    )


@pytest.mark.parametrize("place", ["folder", "s3"])
def test_a_copy_of_its_own_is_read_like_the_original(
    kitchen: Workspace, tmp_path: Path, place: str, request: pytest.FixtureRequest
) -> None:
    location = str(tmp_path / "copy") if place == "folder" else request.getfixturevalue("s3_url") + "/copy"
    made = exported(kitchen, location)
    assert (made.location, made.state, made.version) == (location, "made", 1)
    original = open_dataset(kitchen.dataset_location("kitchen"))
    whole = [original.episode(row) for row in range(len(original))]
    for folder in ("shards", "datasets", "recordings"):
        kitchen.objects.delete_below(folder)
    copy = open_dataset(f"{location}/datasets/kitchen", verify=True)
    assert copy.manifest == original.manifest and len(copy) == 4
    for row, frames in enumerate(whole):
        assert all(np.array_equal(frames[name], found, equal_nan=True) for name, found in copy.episode(row).items())


def test_a_copy_has_the_videos_that_its_version_shows(workspace: Workspace, tmp_path: Path) -> None:
    populate(workspace, {"anna": 0})
    shown = add_recording(workspace, "anna", seed=1, scopes=("train", "share_keypoints", "share_video"))
    publish(workspace, "kitchen", PublishSettings(video="raw"))
    exported(workspace, tmp_path / "copy")
    assert (tmp_path / f"copy/recordings/{shown.recording}/video.mp4").read_bytes() == b"video 1"


def test_plain_tables_hold_every_frame_and_nothing_that_is_not_there(kitchen: Workspace, tmp_path: Path) -> None:
    exported(kitchen, tmp_path / "plain", "parquet")
    frames = pq.read_table(tmp_path / "plain/frames")
    episodes = pq.read_table(tmp_path / "plain/episodes.parquet")
    dataset = open_dataset(kitchen.dataset_location("kitchen"))
    assert episodes["frames"].to_pylist() == dataset.episodes["length"].to_pylist()
    assert episodes["consent_scopes"].to_pylist() == [["train", "share_keypoints"]] * 4
    for row, episode in enumerate(dataset.episodes["episode"].to_pylist()):
        ours = frames.filter(pa.compute.equal(frames["episode"], episode))
        assert ours["frame"].to_pylist() == list(range(len(ours)))
        for name, values in dataset.episode(row).items():
            column = ours[name].combine_chunks()
            column = column.flatten() if pa.types.is_fixed_size_list(column.type) else column
            assert np.array_equal(column.to_numpy(), values.reshape(-1), equal_nan=values.dtype.kind == "f"), name
    assert np.isnan(frames["grip"].combine_chunks().flatten().to_numpy()).any(), (
        "nothing is missing, so nothing is shown"
    )
    described = frames.schema.field("wrist_pose").metadata
    assert described[b"units"] == b"m (x y z), 1 (quaternion w x y z)"
    assert json.loads(described[b"names"])[7:10] == ["right.x", "right.y", "right.z"]


@pytest.mark.parametrize("rate", [None, 7.3, 30.0, 120.0])
def test_blocks_are_what_an_episode_is(tmp_path: Path, rate: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.exports.export_content.BLOCK_FRAMES", 11)
    objects = open_objects(tmp_path)
    content = Content(objects, make_dataset(objects, "kitchen", {"anna": [300, 1, 2], "ben": [77]}, seed=5), rate)
    dataset = content.opened()
    for place, row in enumerate(dataset.episodes.to_pylist()):
        blocks = list(content.blocks(dataset, row))
        assert max(len(block["timestamp"]) for block in blocks) <= (11 if rate is None else 1024)
        for name, values in dataset.episode(place, rate=rate).items():
            found = np.concatenate([block[name] for block in blocks])
            assert found.dtype == values.dtype and np.array_equal(found, values, equal_nan=values.dtype.kind == "f"), (
                name
            )


def test_only_the_arrays_asked_for_are_written(kitchen: Workspace, tmp_path: Path) -> None:
    exported(kitchen, tmp_path / "plain", "parquet", keys=["grip", "wrist_pose"])
    assert pq.read_schema(tmp_path / "plain/frames/part-00000.parquet").names == [
        "episode", "frame", "timestamp", "grip", "wrist_pose",
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match="'elbows'"):
        exported(kitchen, tmp_path / "other", "parquet", keys=["elbows"])


@pytest.mark.parametrize("format_name", EXPORTERS)
def test_cut_off_anywhere_and_repeated_it_is_whole(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_name: str
) -> None:
    populate(workspace, {"anna": 1, "ben": 1}, frames=8)
    publish(workspace, "kitchen")
    with killed_at(monkeypatch, -1) as changes:
        exported(workspace, tmp_path / "whole", format_name)
    expected = content_of(tmp_path / "whole")
    for number in range(len(changes)):
        target = tmp_path / str(number)
        with killed_at(monkeypatch, number), pytest.raises(Killed):
            exported(workspace, target, format_name)
        before = read_note(open_objects(target, create=True))
        assert before is None or before["state"] == "incomplete", changes[number]
        assert not (target / "meta/info.json").exists() or number >= len(changes) - 2
        made = exported(workspace, target, format_name)
        assert content_of(target) == expected
        assert [record.state for record in Exports(workspace.catalog).all() if record.location == str(target)] == [
            "made"
        ]
        assert before is None or made.export == before["export"]


def content_of(folder: Path) -> dict[str, bytes]:
    """All files but the note, by their place."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != NOTE)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_it_goes_nowhere_where_something_is(kitchen: Workspace, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").write_text("mine")
    with pytest.raises(Conflict, match="full is not empty"):
        exported(kitchen, tmp_path / "full")
    for own in (kitchen.folder, kitchen.folder / "shards", kitchen.folder / "datasets/new"):
        with pytest.raises(Conflict, match="belongs to the workspace"):
            exported(kitchen, own)
    exported(kitchen, tmp_path / "copy")
    with pytest.raises(Conflict, match=r"holds an export of kitchen@1 \(kinesphere, complete\)"):
        exported(kitchen, tmp_path / "copy")
    with pytest.raises(NotFound, match="no export format named 'rlds'"):
        export_version(kitchen, "kitchen", None, tmp_path / "rlds", format_name="rlds")
    with pytest.raises(InvalidInput, match="--rate 30"):
        exported(kitchen, tmp_path / "new", "lerobot", rate=None)
    with pytest.raises(NotFound, match="no dataset named 'garden'"):
        export_version(kitchen, "garden", None, tmp_path / "new", format_name="parquet")
    assert not (tmp_path / "new").exists() and not (tmp_path / "rlds").exists()
    assert len(Exports(kitchen.catalog).all()) == 1


def test_where_a_consent_has_ended_nothing_is_exported(workspace: Workspace, tmp_path: Path) -> None:
    populate(workspace, {"anna": 1})
    soon = datetime.now(UTC) + timedelta(seconds=1)
    ended = add_recording(workspace, "anna", seed=50, expires_at=soon)
    publish(workspace, "kitchen")
    while datetime.now(UTC) <= soon:
        pass
    with pytest.raises(Conflict, match=f"consent to 1 of the recordings in kitchen@1 has ended, {ended.recording}"):
        exported(workspace, tmp_path / "copy")
    publish(workspace, "kitchen")
    assert exported(workspace, tmp_path / "copy").version == 2


@pytest.mark.parametrize("format_name", EXPORTERS)
def test_an_erasure_leaves_nothing_of_a_person_in_any_format(
    kitchen: Workspace, tmp_path: Path, format_name: str
) -> None:
    exported(kitchen, tmp_path / "out", format_name)
    (trace,) = (trace for trace in find_traces(kitchen, "anna") if str(tmp_path / "out") in trace.where)
    assert "holds 2 episodes of theirs" in trace.what
    gone = [row.recording for row in kitchen.catalog.recordings(contributor="anna")]
    done = erase(kitchen, "anna", who="eve")
    assert done is not None and done.tombstone is not None
    (entry,) = done.tombstone["exports"]
    is_remade = format_name == "kinesphere"
    assert entry["outcome"] == ("made again without them" if is_remade else "removed")
    assert find_traces(kitchen, "anna") == []
    for name, content in (content_of(tmp_path / "out") | {NOTE: (tmp_path / "out" / NOTE).read_bytes()}).items():
        assert b"anna" not in content and not any(recording.encode() in content for recording in gone), name
    (record,) = Exports(kitchen.catalog).all()
    assert (record.state, record.held_before) == ("made" if is_remade else "removed", 1)
    if not is_remade:
        assert [path.name for path in (tmp_path / "out").iterdir()] == [NOTE]
        assert json.loads((tmp_path / "out" / NOTE).read_text())["replaced_by"] == "kitchen@2"
        assert exported(kitchen, tmp_path / "out", format_name).version == 2
        assert [record.state for record in Exports(kitchen.catalog).all()] == ["made"]


def test_readers_of_a_copy_are_told_that_people_have_left(kitchen: Workspace, tmp_path: Path) -> None:
    exported(kitchen, tmp_path / "copy")
    reading = open_dataset(tmp_path / "copy/datasets/kitchen")
    erase(kitchen, "anna", who="eve")
    with pytest.raises(Withdrawn, match="kitchen@1 was withdrawn"):
        reading.episode(0)
    with pytest.raises(Withdrawn, match="use version 2, without them"):
        open_dataset(tmp_path / "copy/datasets/kitchen", 1)
    copy = open_dataset(tmp_path / "copy/datasets/kitchen", verify=True)
    assert equal(open_dataset(kitchen.dataset_location("kitchen")), copy)
    for other in ("ben", "carla"):
        erase(kitchen, other, who="eve")
    with pytest.raises(Withdrawn, match="nothing of it is left"):
        open_dataset(tmp_path / "copy/datasets/kitchen")
    assert list((tmp_path / "copy/shards").iterdir()) == []


def test_what_cannot_be_reached_stays_on_the_list_until_it_can(kitchen: Workspace, tmp_path: Path) -> None:
    disk, mount = tmp_path / "disk", tmp_path / "mount"
    made = exported(kitchen, mount, "parquet")
    mount.rename(disk)
    mount.mkdir()  # as an unmounted disk leaves it
    done = erase(kitchen, "anna", who="eve")
    assert done is not None and done.tombstone is not None
    assert done.tombstone["exports"][0]["outcome"] == "could not be reached"
    (trace,) = find_traces(kitchen, "anna")
    assert f"export {made.export} cannot be reached" in trace.what and "exports --forget" in trace.what
    erase(kitchen, "ben", who="eve")
    assert len(find_traces(kitchen, "ben")) == 1, "it may hold ben too"
    mount.rmdir()
    disk.rename(mount)
    assert any("holds 2 episodes" in trace.what for trace in find_traces(kitchen, "anna"))
    erase(kitchen, "anna", who="eve")
    assert find_traces(kitchen, "anna") == find_traces(kitchen, "ben") == []
    assert [path.name for path in mount.iterdir()] == [NOTE]


def test_a_copy_that_was_out_of_reach_through_two_erasures_ends_without_both(
    kitchen: Workspace, tmp_path: Path
) -> None:
    exported(kitchen, tmp_path / "copy")
    (tmp_path / "copy").rename(tmp_path / "away")
    erase(kitchen, "anna", who="eve")
    erase(kitchen, "ben", who="eve")
    (tmp_path / "away").rename(tmp_path / "copy")
    erase(kitchen, "ben", who="eve")
    copy = open_dataset(tmp_path / "copy/datasets/kitchen")
    assert (copy.version, set(copy.episodes["contributor"].to_pylist())) == (3, {"carla"})
    assert find_traces(kitchen, "anna") == find_traces(kitchen, "ben") == []


def test_one_that_was_deleted_by_hand_is_forgotten_by_hand(kitchen: Workspace, tmp_path: Path) -> None:
    made = exported(kitchen, tmp_path / "copy")
    with pytest.raises(Conflict, match="is still there"):
        forget_export(kitchen, made.export)
    shutil.rmtree(tmp_path / "copy")
    erase(kitchen, "anna", who="eve")
    assert len(find_traces(kitchen, "anna")) == 1
    assert forget_export(kitchen, made.export).location == str(tmp_path / "copy")
    assert find_traces(kitchen, "anna") == []
    with pytest.raises(NotFound, match="no export named"):
        forget_export(kitchen, made.export)


@pytest.mark.parametrize("format_name", EXPORTERS)
def test_who_leaves_while_it_is_written_is_not_in_it(kitchen: Workspace, tmp_path: Path, format_name: str) -> None:
    def leave(done: int, total: int) -> None:
        if done >= total // 2 and "anna" in kitchen.catalog.contributors():
            erase(kitchen, "anna", who="eve")

    with pytest.raises(Withdrawn, match="use version 2"):
        exported(kitchen, tmp_path / "out", format_name, on_progress=leave)
    assert content_of(tmp_path / "out") == {}
    assert find_traces(kitchen, "anna") == []
    assert [record.state for record in Exports(kitchen.catalog).all()] == ["removed"]


def test_what_a_killed_exporter_left_goes_too(
    kitchen: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with killed_at(monkeypatch, 12), pytest.raises(Killed):
        exported(kitchen, tmp_path / "copy")
    assert content_of(tmp_path / "copy")
    erase(kitchen, "anna", who="eve")
    assert content_of(tmp_path / "copy") == {} and find_traces(kitchen, "anna") == []


def test_an_export_by_somebody_who_leaves_names_nobody(kitchen: Workspace, tmp_path: Path) -> None:
    export_version(kitchen, "kitchen", 1, tmp_path / "copy", format_name="kinesphere", made_by="anna")
    erase(kitchen, "anna", who="eve")
    assert Exports(kitchen.catalog).all()[0].made_by == "(erased)"


def test_on_postgresql_and_s3(tmp_path: Path, postgres_url: str, s3_url: str) -> None:
    team = create_workspace(tmp_path / "team", catalog=postgres_url, store=f"{s3_url}/store")
    populate(team, {"anna": 1, "ben": 1}, frames=8)
    publish(team, "kitchen")
    for format_name in EXPORTERS:
        exported(team, f"{s3_url}/exports/{format_name}", format_name)
    objects = open_objects(f"{s3_url}/exports/lerobot")
    assert "meta/info.json" in objects.keys("")
    erase(team, "anna", who="eve")
    assert find_traces(team, "anna") == []
    assert objects.keys("") == [NOTE]
    copy = open_dataset(f"{s3_url}/exports/kinesphere/datasets/kitchen")
    assert set(copy.episodes["contributor"].to_pylist()) == {"ben"}
    assert [record.state for record in Exports(team.catalog).all()] == ["made", "removed", "removed"]
    team.catalog.close()
