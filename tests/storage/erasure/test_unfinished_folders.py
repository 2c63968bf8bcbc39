"""A shard or a recording whose writer was killed half-way says whose it is, so that it goes with them at once."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import obstore
import pytest

from kinesphere.errors import Conflict, StorageFailed, Withdrawn
from kinesphere.objects import local_files
from kinesphere.objects.begun_notes import BEGUN
from kinesphere.objects.store import Objects, open_objects
from kinesphere.shards.shard import Shard
from kinesphere.video.video_keys import video_key
from storage.backup.backup_run import back_up
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.erasure.late_writes import undone_if_departed
from storage.erasure.unfinished_folders import description_of
from storage.exports import export_version
from storage.inspection.leftovers import leftovers, repair
from storage.inspection.workspace_inspection import inspect
from storage.recordings.recording import description_key
from storage.shards.shard_writer import ShardRecord, write_shard
from storage.workspace import Workspace, create_workspace
from tests.support.cut_moments import Moments, told_of_changes
from tests.support.flush_ledger import FlushLedger
from tests.support.generated_trajectories import make_trajectory
from tests.support.interruptions import Killed
from tests.support.populated_workspaces import describe, populate

Left = dict[str, bytes]
Write = Callable[[Objects, str], Any]


def written_shard(objects: Objects, contributor: str) -> ShardRecord:
    return write_shard(objects, [make_trajectory(40, seed=91, contributor=contributor)])


def written_recording(objects: Objects, contributor: str) -> None:
    description = describe(contributor, seed=91)
    objects.put_all(
        {description_key(description.recording): description.to_bytes(), video_key(description.recording): b"frames"},
        told_by=description_key(description.recording),
    )


WRITES = pytest.mark.parametrize("write", [written_shard, written_recording])


@pytest.fixture
def without_anna(workspace: Workspace) -> Workspace:
    """Anna was erased, and ben is there; what a process still writes of her comes late."""
    populate(workspace, {"anna": 1, "ben": 1})
    erase(workspace, "anna", who="eve")
    return workspace


def left_by_a_kill(folder: Path, write: Write, contributor: str) -> list[Left]:
    """What a kill before each change to a folder leaves in it; the last is what is there at the end."""
    objects = open_objects(folder, create=True)
    moments = Moments(lambda: content_of(folder), 10**6)
    with told_of_changes(folder, moments.change):
        write(objects, contributor)
    moments.end()
    assert len(moments.kept) > 5
    different: dict[tuple[str, ...], Left] = {}
    for left in moments.kept.values():
        different.setdefault(tuple(left), left)
    return list(different.values())


def content_of(folder: Path) -> Left:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def put_back(folder: Path, left: Mapping[str, bytes]) -> None:
    for name, content in left.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def make_old(folder: Path) -> None:
    hour_ago = time.time() - 3600
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (hour_ago, hour_ago))


@WRITES
def test_wherever_its_writer_was_killed_it_goes_at_once(without_anna: Workspace, tmp_path: Path, write: Write) -> None:
    states = left_by_a_kill(tmp_path / "aside", write, "anna")
    assert len(states) > (20 if write is written_shard else 3)
    for left in states:
        put_back(without_anna.folder, left)
        assert not any(left.values()) or find_traces(without_anna, "anna") != []
        assert find_traces(without_anna, "carla") == [] or not any(left.values()), "it is known to be another's"
        erase(without_anna, "anna", who="eve")
        if any(left.values()):  # else a file was opened, and nothing written
            assert find_traces(without_anna, "anna") == [], sorted(left)
            assert not any(name in content_of(without_anna.folder) for name in left)
        for name in left:
            shutil.rmtree(without_anna.folder / "/".join(name.split("/")[:2]), ignore_errors=True)


@WRITES
def test_what_is_known_to_be_somebody_elses_stays(without_anna: Workspace, tmp_path: Path, write: Write) -> None:
    states = left_by_a_kill(tmp_path / "aside", write, "ben")
    for left in states[len(states) // 2 :: 5]:
        put_back(without_anna.folder, left)
        erase(without_anna, "anna", who="eve")
        assert content_of(without_anna.folder).items() >= left.items()
        assert find_traces(without_anna, "anna") == []


@WRITES
def test_no_power_cut_leaves_bytes_that_nobody_can_tell_the_owner_of(tmp_path: Path, write: Write) -> None:
    ledger = FlushLedger(tmp_path / "disk")
    objects = open_objects(ledger.folder)
    moments = Moments(ledger.keep, 10**6)
    with told_of_changes(ledger.folder, moments.change, ledger.flushed):
        write(objects, "anna")
    moments.end()
    seen = 0
    for states in moments.kept.values():
        for kind, left in states.items():
            if not any(left.values()):
                continue
            with ledger.after_cut(left):
                (prefix,) = (ledger.folder / name.name for name in ledger.folder.iterdir())
                (folder,) = prefix.iterdir()
                name = "zarr.json" if prefix.name == "shards" else "recording.json"
                found = description_of(objects, f"{prefix.name}/{folder.name}/{name}")
                assert found is not None and "anna" in str(found), (kind, sorted(left))
                seen += 1
    ledger.close()
    assert seen > 5


@pytest.mark.parametrize("number", [1, 2, 9, 20, "last", "after the last"])
def test_in_an_object_store_it_says_so_in_a_note(
    tmp_path: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch, number: int | str
) -> None:
    place = create_workspace(tmp_path / "team", store=f"{s3_url}/{number}".replace(" ", "-"))
    populate(place, {"anna": 0, "ben": 1})
    erase(place, "anna", who="eve")
    at = number if isinstance(number, int) else len(made_of(tmp_path / "aside")) + (number != "last")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at_put(patch, at)
        written_shard(place.objects, "anna")
    left = place.objects.keys("shards")
    (torn,) = {key.split("/")[1] for key in left if key.endswith(f"/{BEGUN}")}
    assert len(left) > at and find_traces(place, "ben2") == []
    erase(place, "anna", who="eve")
    assert find_traces(place, "anna") == []
    assert not [key for key in place.objects.keys("shards") if torn in key]
    written_shard(place.objects, "ben")
    assert not [key for key in place.objects.keys("") if key.endswith(BEGUN)], "it is taken away at the end"
    place.catalog.close()


def made_of(folder: Path) -> list[str]:
    objects = open_objects(folder, create=True)
    return objects.keys(written_shard(objects, "anna").key)


def kill_at_put(patch: pytest.MonkeyPatch, number: int) -> None:
    """Stop before the put of this number, or, where there are fewer, before the first deletion."""
    real, done = obstore.put, list[int]()

    def put(*arguments: Any, **options: Any) -> Any:
        if len(done) == number:
            raise Killed
        done.append(1)
        return real(*arguments, **options)

    def delete(*arguments: Any, **options: Any) -> Any:
        raise Killed

    patch.setattr(obstore, "put", put)
    patch.setattr(obstore, "delete", delete)


def test_a_store_that_refuses_half_way_keeps_what_says_whose_it_is(
    tmp_path: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleting it would take it from another process that writes the same shard at this moment."""
    objects = open_objects(f"{s3_url}/refusing")
    real, done = obstore.put, list[int]()

    def put(*arguments: Any, **options: Any) -> Any:
        done.append(1)
        if len(done) == 9:
            raise OSError("no more")
        return real(*arguments, **options)

    with monkeypatch.context() as patch, pytest.raises(StorageFailed):
        patch.setattr(obstore, "put", put)
        written_shard(objects, "anna")
    (folder,) = objects.folders("shards")
    assert "anna" in str(description_of(objects, f"shards/{folder}/zarr.json"))
    assert len(objects.keys("shards")) == 8 and not objects.exists(f"shards/{folder}/zarr.json")
    written_shard(objects, "anna")
    assert objects.keys("shards") == made_of(tmp_path)


def test_two_that_write_the_same_shard_take_nothing_from_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One fails, on a full disk say, when the other has named all but what makes the shard visible."""
    objects = open_objects(tmp_path)
    real = local_files._name_besides

    def full(staged: Path, path: Path) -> None:
        raise OSError(28, "No space left on device")

    def meanwhile(staged: Path, path: Path) -> None:
        monkeypatch.setattr(local_files, "_name_besides", full)
        with pytest.raises(StorageFailed):
            written_shard(objects, "anna")
        real(staged, path)

    monkeypatch.setattr(local_files, "_name_besides", meanwhile)
    shard = written_shard(objects, "anna")
    for name, said in Shard(objects, shard.shard_id).attributes["objects"].items():
        assert objects.size(f"{shard.key}/{name}") == said["size_bytes"]
    assert not list(tmp_path.rglob("*#*"))


def test_doctor_takes_a_folder_away_whole_once_its_writer_must_have_died(
    without_anna: Workspace, tmp_path: Path
) -> None:
    states = left_by_a_kill(tmp_path / "aside", written_shard, "ben")
    for left in states[2:-1:6]:
        put_back(without_anna.folder, left)
        (note,) = (name for name in left if "/zarr.json#" in name and name.count("/") == 2)
        torn = "/".join(note.split("/")[:2])
        make_old(without_anna.folder / note)
        assert not [found for found in leftovers(without_anna) if torn in found.where], "others of its are fresh"
        make_old(without_anna.folder / torn)
        assert [found.where for found in leftovers(without_anna)] == [torn]
        repair(without_anna)
        assert inspect(without_anna).problems == ()
        assert not (without_anna.folder / torn).exists()


def test_a_folder_with_nothing_but_what_was_half_written_goes_at_once_too(without_anna: Workspace) -> None:
    """As earlier releases left it."""
    put_back(without_anna.folder, {"shards/00112233445566778899aabbccddeeff.zarr/valid/c/0#1": b"motion"})
    make_old(without_anna.folder / "shards")
    repair(without_anna)
    assert inspect(without_anna).problems == ()


def test_a_note_that_was_left_beside_a_whole_shard_bothers_nobody(tmp_path: Path, s3_url: str) -> None:
    from storage.publishing.publish import publish

    place = create_workspace(tmp_path / "team", store=f"{s3_url}/notes")
    populate(place, {"ben": 1})
    (shard,) = place.objects.folders("shards")
    place.objects.put(f"shards/{shard}/{BEGUN}", place.objects.get(f"shards/{shard}/zarr.json"))
    publish(place, "kitchen")
    export_version(place, "kitchen", None, tmp_path / "copy", format_name="kinesphere")
    assert not list((tmp_path / "copy").rglob(BEGUN))
    back_up(place, tmp_path / "backup")
    assert not list((tmp_path / "backup").rglob(f"*{BEGUN}*"))
    (problem,) = inspect(place, deep=True).problems
    assert problem.what == f"shards/{shard}/{BEGUN}" and problem.is_repairable
    repair(place)
    assert inspect(place, deep=True).problems == ()
    place.catalog.close()


@pytest.fixture(params=["_flush_first", "_flush_staged", "_name_staged", "_name_besides"])
def interrupted_by_an_erasure(
    without_anna: Workspace, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Workspace:
    """The erasure comes while a process writes, before its first call of one of these."""
    real = getattr(local_files, request.param)

    def meanwhile(*given: Any) -> None:
        monkeypatch.setattr(local_files, request.param, real)
        erase(without_anna, "anna", who="eve")
        real(*given)

    monkeypatch.setattr(local_files, request.param, meanwhile)
    return without_anna


def test_a_process_that_still_writes_is_told_and_leaves_nothing(interrupted_by_an_erasure: Workspace) -> None:
    place = interrupted_by_an_erasure
    with pytest.raises(StorageFailed, match="was deleted by another process while it was being written"):
        written_shard(place.objects, "anna")
    assert find_traces(place, "anna") == []


def test_who_hands_in_meanwhile_is_told_that_they_have_left(interrupted_by_an_erasure: Workspace) -> None:
    place, recording = interrupted_by_an_erasure, describe("anna", seed=91).recording
    with pytest.raises(Conflict, match=r"left|enrolled"), undone_if_departed(place, recording, "anna"):
        written_recording(place.objects, "anna")
        raise Conflict("nobody of this name is enrolled")  # as the catalog says where nothing disturbed the writing
    assert find_traces(place, "anna") == []


@pytest.mark.parametrize(
    ("format_name", "first"),
    [("kinesphere", "shards/"), ("kinesphere", "datasets/"), ("lerobot", ""), ("parquet", "")],
)
@pytest.mark.parametrize("is_alive", [False, True])
def test_what_was_being_written_of_a_copy_goes_too(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_name: str, first: str, is_alive: bool
) -> None:
    """Its exporter is killed, or disturbed, when it has written the first file below `first` but not named it."""
    from storage.publishing.publish import publish

    populate(workspace, {"anna": 1, "ben": 1})
    publish(workspace, "kitchen")
    rate = 30 if format_name == "lerobot" else None
    copy, real, done = tmp_path / "copy", local_files._flush_staged, list[Path]()

    def killed(staged: Iterable[Path]) -> None:
        paths = list(staged)
        if str(paths[0]).startswith(f"{copy}/{first}") and "export.json" not in paths[0].name and not done:
            done.extend(paths)
            if not is_alive:
                monkeypatch.setattr(local_files, "_take_back", lambda *given: None)  # which no kill would do
                raise Killed
            erase(workspace, "anna", who="eve")
        real(paths)

    with monkeypatch.context() as patch, pytest.raises(Withdrawn if is_alive else Killed):
        patch.setattr(local_files, "_flush_staged", killed)
        export_version(workspace, "kitchen", None, copy, format_name=format_name, rate=rate, keys=["grip"])
    if not is_alive:
        assert done and done[0].exists()
        erase(workspace, "anna", who="eve")
    assert find_traces(workspace, "anna") == []
    assert [path.name for path in copy.rglob("*") if path.is_file()] == ["kinesphere-export.json"]
