"""Backups: only what is new is copied, whoever writes or leaves meanwhile; interrupted, the last whole one stays."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from capture.drafts.outbox import submit
from kinesphere.errors import Conflict, InvalidInput, NewerFormat, StorageFailed
from kinesphere.objects.store import Objects
from kinesphere.shards.shard import shard_key
from kinesphere.video.video_keys import video_key
from storage.backup import backup_run
from storage.backup.backup_check import find_damage
from storage.backup.backup_content import find_content
from storage.backup.backup_place import NOTE, BackupPlace
from storage.backup.backup_run import back_up
from storage.backup.restore import Destination, restore
from storage.catalog import RecordingRecord
from storage.erasure.erasure import erase
from storage.inspection.workspace_inspection import inspect
from storage.publishing.publish import publish
from storage.workspace import Workspace, create_workspace, open_workspace
from tests.support.compared_workspaces import bytes_of, rows_of
from tests.support.interruptions import Killed, killed_at
from tests.support.populated_workspaces import add_recording, populate
from tests.support.submitted_takes import make_take
from tests.support.video_clips import make_clip


@pytest.fixture
def kitchen(workspace: Workspace) -> Workspace:
    """Three recordings of two people, and a version of them."""
    populate(workspace, {"anna": 2, "ben": 1})
    publish(workspace, "kitchen", created_by="eve")
    return workspace


@contextmanager
def restored(source: Path, folder: Path, **how: Any) -> Iterator[Workspace]:
    report = restore(source, Destination(folder), **how)
    assert report.lost == ()
    made = open_workspace(folder)
    try:
        yield made
    finally:
        made.catalog.close()


def shard_of(workspace: Workspace, row: RecordingRecord) -> str:
    found = workspace.catalog.trajectory(row.recording)
    assert found is not None
    return found.shard


def test_only_what_is_new_is_copied(kitchen: Workspace, tmp_path: Path) -> None:
    first = back_up(kitchen, tmp_path / "backup")
    assert first.copied == len(bytes_of(kitchen)) and first.kept == 0 and first.losses == ()
    assert first.copied_bytes == sum(map(len, bytes_of(kitchen).values()))
    again = back_up(kitchen, tmp_path / "backup")
    assert (again.copied, again.kept, again.removed.objects) == (0, first.copied, 0)
    add_recording(kitchen, "ben", seed=9)
    more = back_up(kitchen, tmp_path / "backup")
    assert more.copied == len(bytes_of(kitchen)) - first.copied and more.kept == first.copied
    assert find_damage(BackupPlace.open(tmp_path / "backup")) == []


@pytest.mark.parametrize("earlier", ["whole", "interrupted"])
def test_what_is_the_same_is_not_even_read(
    kitchen: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: str
) -> None:
    made = back_up(kitchen, tmp_path / "backup")
    if earlier == "interrupted":
        place = BackupPlace.open(tmp_path / "backup")
        place.note_unfinished(place.entries(made.snapshot).values())
        (tmp_path / "backup/snapshots" / made.snapshot.name / "manifest.json").unlink()
    read: list[str] = []
    get = Objects.get

    def counted(self: Objects, key: str, *more: Any) -> bytes:
        read.append(key)
        return get(self, key, *more)

    monkeypatch.setattr(Objects, "get", counted)
    assert back_up(kitchen, tmp_path / "backup").copied == 0
    content = [key for key in read if key.startswith(("recordings/", "shards/"))]
    assert [key for key in content if earlier == "whole" or not key.endswith("zarr.json")] == []


def test_as_many_snapshots_are_kept_as_are_asked_for_and_each_can_be_restored(
    kitchen: Workspace, tmp_path: Path
) -> None:
    back_up(kitchen, tmp_path / "backup", keep=2)
    then = rows_of(kitchen.catalog)
    kitchen.objects.put("cameras/desk.json", b"calibrated")
    second = back_up(kitchen, tmp_path / "backup", keep=2)
    kitchen.objects.put("cameras/desk.json", b"calibrated again")
    third = back_up(kitchen, tmp_path / "backup", keep=2)
    assert len(third.removed.snapshots) == 1 and third.removed.objects == 0
    assert [snapshot.name for snapshot in BackupPlace.open(tmp_path / "backup").snapshots()] == [
        second.snapshot.name, third.snapshot.name,
    ]  # fmt: skip
    with restored(tmp_path / "backup", tmp_path / "second", snapshot=second.snapshot.name) as made:
        assert made.objects.get("cameras/desk.json") == b"calibrated" and rows_of(made.catalog) == then
    with restored(tmp_path / "backup", tmp_path / "third") as made:
        assert made.objects.get("cameras/desk.json") == b"calibrated again"
    fourth = back_up(kitchen, tmp_path / "backup", keep=1)
    assert fourth.removed.objects == 1 and len(fourth.removed.snapshots) == 2


def test_interrupted_before_any_change_the_last_whole_one_is_restored_and_the_next_one_goes_on(
    kitchen: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_run, "_AT_ONCE", 1)
    whole = back_up(kitchen, tmp_path / "whole").snapshot
    before = rows_of(kitchen.catalog)
    add_recording(kitchen, "ben", seed=9)
    after, number = rows_of(kitchen.catalog), 0
    while True:
        shutil.rmtree(tmp_path / "backup", ignore_errors=True)
        shutil.copytree(tmp_path / "whole", tmp_path / "backup")
        try:
            with killed_at(monkeypatch, number):
                done = back_up(kitchen, tmp_path / "backup")
        except Killed:
            newest = BackupPlace.open(tmp_path / "backup").snapshots()[-1]
            is_whole = newest.name != whole.name
            shutil.rmtree(tmp_path / "restored", ignore_errors=True)
            with restored(tmp_path / "backup", tmp_path / "restored") as made:
                assert rows_of(made.catalog) == (after if is_whole else before)
            done = back_up(kitchen, tmp_path / "backup")
            assert BackupPlace.open(tmp_path / "backup").unfinished() == {} and done.losses == ()
            shutil.rmtree(tmp_path / "restored")
            with restored(tmp_path / "backup", tmp_path / "restored") as made:
                assert rows_of(made.catalog) == after and bytes_of(made) == bytes_of(kitchen)
            number += 13
            continue
        assert number > 20 and done.copied > 20
        return


def test_an_interrupted_backup_copies_only_the_rest(
    kitchen: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_run, "_AT_ONCE", 1)
    monkeypatch.setattr(backup_run, "_NOTED_EVERY_SECONDS", 0.0)
    with killed_at(monkeypatch, 40), pytest.raises(Killed):
        back_up(kitchen, tmp_path / "backup")
    place = BackupPlace.open(tmp_path / "backup")
    there = len(place.stored())
    assert place.snapshots() == [] and 0 < there < len(bytes_of(kitchen))
    done = back_up(kitchen, tmp_path / "backup")
    assert done.copied == len(bytes_of(kitchen)) - there and done.kept == there


def test_whoever_writes_meanwhile_is_in_it_whole_or_not_at_all(kitchen: Workspace, tmp_path: Path) -> None:
    """Recordings and versions come all the time; each snapshot is a workspace with which the doctor is content."""
    stop, failures = threading.Event(), list[BaseException]()

    def write() -> None:
        writer = open_workspace(kitchen.folder)
        try:
            for seed in range(100, 1000):
                if stop.is_set():
                    return
                add_recording(writer, "ben", seed=seed, frames=8)
                publish(writer, "kitchen")
        except BaseException as error:
            failures.append(error)
            raise
        finally:
            writer.catalog.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        seen = []
        for number in range(4):
            made = back_up(kitchen, tmp_path / "backup")
            assert made.losses == ()
            seen.append(made.snapshot.manifest["catalog"]["rows"]["recording"])
            with restored(tmp_path / "backup", tmp_path / f"restored-{number}") as found:
                assert inspect(found, deep=True).problems == ()
                known = {row.recording for row in found.catalog.recordings()}
                assert set(found.objects.folders("recordings")) == known
    finally:
        stop.set()
        thread.join()
    assert failures == [] and seen == sorted(seen)
    assert back_up(kitchen, tmp_path / "backup").snapshot.manifest["catalog"]["rows"]["recording"] >= seen[-1]


def during(monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> None:
    """Do something once after the snapshot of the catalog and the list of objects, before they are copied."""
    find, done = find_content, list[bool]()

    def found(*arguments: Any) -> Any:
        content = find(*arguments)
        if not done:
            done.append(True)
            what()
        return content

    monkeypatch.setattr(backup_run, "find_content", found)


@pytest.mark.parametrize("when", ["before objects are copied", "after they were copied"])
def test_who_is_erased_while_it_is_made_is_not_in_it(
    kitchen: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def erase_once(done: int = 0, total: int = 0) -> None:
        if done == total and "anna" in kitchen.catalog.contributors():
            erase(kitchen, "anna", who="eve")

    if when == "before objects are copied":
        during(monkeypatch, erase_once)
        made = back_up(kitchen, tmp_path / "backup")
    else:
        made = back_up(kitchen, tmp_path / "backup", on_progress=erase_once)
    assert made.losses == () and len(made.snapshot.manifest["erasures"]) == 1
    assert_nothing_names(tmp_path / "backup", "anna")
    with restored(tmp_path / "backup", tmp_path / "restored") as found:
        assert rows_of(found.catalog) == rows_of(kitchen.catalog) and bytes_of(found) == bytes_of(kitchen)
        assert inspect(found, deep=True).problems == ()


def assert_nothing_names(folder: Path, contributor: str) -> None:
    import gzip

    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            content = gzip.decompress(content) if path.suffix == ".gz" else content
            assert contributor.encode() not in content, path


def test_a_draft_that_is_submitted_while_it_is_made_is_in_it(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(workspace, {"anna": 1})
    draft = make_take(workspace, make_clip(tmp_path / "clip.mp4", frames=10), "anna")
    waits = make_take(workspace, tmp_path / "clip.mp4", "anna")
    during(monkeypatch, lambda: submit(workspace, draft.recording))
    assert back_up(workspace, tmp_path / "backup").losses == ()
    with restored(tmp_path / "backup", tmp_path / "restored") as found:
        assert rows_of(found.catalog) == rows_of(workspace.catalog) and bytes_of(found) == bytes_of(workspace)
        assert inspect(found, deep=True).problems == ()
        submit(found, waits.recording)
        assert inspect(found, deep=True).problems == ()


def test_what_the_workspace_has_lost_since_stays_in_the_backup(kitchen: Workspace, tmp_path: Path) -> None:
    whole, rows = bytes_of(kitchen), kitchen.catalog.recordings()
    back_up(kitchen, tmp_path / "backup")
    objects = kitchen.objects
    objects.delete(video_key(rows[0].recording))
    objects.put(video_key(rows[1].recording), b"")
    objects.delete_below(shard_key(shard_of(kitchen, rows[2])))
    objects.delete("datasets/kitchen/versions/000001.parquet")
    for _ in range(2):
        made = back_up(kitchen, tmp_path / "backup", keep=1)
        assert {loss.words.split(";")[0].split(" in the")[0] for loss in made.losses} == {"is missing", "was changed"}
        assert len(made.losses) == 3 + len(
            [key for key in whole if key.startswith(shard_key(shard_of(kitchen, rows[2])))]
        )
    with restored(tmp_path / "backup", tmp_path / "restored") as found:
        assert bytes_of(found) == whole and inspect(found, deep=True).problems == ()


def test_what_was_lost_before_the_first_backup_is_said(kitchen: Workspace, tmp_path: Path) -> None:
    missing, changed, shardless = kitchen.catalog.recordings()
    kitchen.objects.delete(video_key(missing.recording))
    kitchen.objects.put(video_key(changed.recording), b"other bytes")
    array = f"{shard_key(shard_of(kitchen, shardless))}/valid/c/0"
    kitchen.objects.delete(array)
    for _ in range(2):
        losses = {loss.key: loss.words for loss in back_up(kitchen, tmp_path / "backup").losses}
        assert losses.keys() == {video_key(missing.recording), video_key(changed.recording), array}
    assert "no backup has it" in losses[array] and "not what was submitted" in losses[video_key(changed.recording)]


def test_what_was_damaged_at_first_and_put_right_since_is_right(kitchen: Workspace, tmp_path: Path) -> None:
    whole, (changed, shardless, _) = bytes_of(kitchen), kitchen.catalog.recordings()
    damaged = [
        video_key(changed.recording),
        f"{shard_key(shard_of(kitchen, shardless))}/valid/c/0",
        f"{shard_key(shard_of(kitchen, shardless))}/zarr.json",
        "datasets/kitchen/versions/000001.parquet",
    ]
    for key in damaged:
        kitchen.objects.put(key, b"damaged")
    back_up(kitchen, tmp_path / "backup")
    for key in damaged:
        kitchen.objects.put(key, whole[key])
    assert back_up(kitchen, tmp_path / "backup").losses == ()
    with restored(tmp_path / "backup", tmp_path / "restored") as found:
        assert bytes_of(found) == whole and inspect(found, deep=True).problems == ()


def test_what_is_restored_is_backed_up_to_the_same_place_and_another_workspace_is_not(
    kitchen: Workspace, tmp_path: Path
) -> None:
    back_up(kitchen, tmp_path / "backup")
    with restored(tmp_path / "backup", tmp_path / "restored") as found:
        add_recording(found, "ben", seed=9)
        again = back_up(found, tmp_path / "backup")
        assert again.copied == len(bytes_of(found)) - len(bytes_of(kitchen)) and len(again.removed.snapshots) == 0
    other = create_workspace(tmp_path / "other", name=kitchen.name)
    populate(other, {"anna": 1})
    with pytest.raises(Conflict, match=r"another workspace named 'workspace' \(its first task is move@1"):
        back_up(other, tmp_path / "backup")
    other.catalog.close()


def test_a_place_with_other_things_in_it_is_refused(kitchen: Workspace, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    with pytest.raises(Conflict, match="is not empty and no backup"):
        back_up(kitchen, other)
    assert [path.name for path in other.iterdir()] == ["mine.txt"]
    for own in (kitchen.folder, kitchen.folder / "backup", kitchen.folder.parent):
        with pytest.raises(InvalidInput, match="lie in each other"):
            back_up(kitchen, own)
    with pytest.raises(InvalidInput, match="keep at least one"):
        back_up(kitchen, tmp_path / "backup", keep=0)
    back_up(kitchen, tmp_path / "backup")
    foreign = create_workspace(tmp_path / "garden")
    with pytest.raises(Conflict, match="holds the backup of the workspace 'workspace', not of 'garden'"):
        back_up(foreign, tmp_path / "backup")
    foreign.catalog.close()
    note = tmp_path / "backup" / NOTE
    note.write_text(note.read_text().replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(NewerFormat, match="upgrade kinesphere"):
        back_up(kitchen, tmp_path / "backup")


def test_on_a_full_disk_the_last_whole_one_stays(kitchen: Workspace, small_disk: Path, tmp_path: Path) -> None:
    back_up(kitchen, small_disk / "backup")
    rows = rows_of(kitchen.catalog)
    kitchen.objects.put("cameras/large.json", bytes(3 << 20))
    with pytest.raises(StorageFailed, match="no space left"):
        back_up(kitchen, small_disk / "backup")
    with restored(small_disk / "backup", tmp_path / "restored") as found:
        assert rows_of(found.catalog) == rows
    kitchen.objects.delete("cameras/large.json")
    assert back_up(kitchen, small_disk / "backup").losses == ()


def test_damage_in_the_backup_is_found_and_mended_by_the_next(kitchen: Workspace, tmp_path: Path) -> None:
    back_up(kitchen, tmp_path / "backup")
    place = BackupPlace.open(tmp_path / "backup")
    damaged, missing = sorted(place.stored())[:2]
    place.objects.put(damaged, b"?" * place.stored()[damaged])
    place.objects.delete(missing)
    assert sorted(find_damage(place)) == [damaged, missing]
    place.objects.delete(damaged)
    assert back_up(kitchen, tmp_path / "backup").copied == 2
    assert find_damage(place) == []
