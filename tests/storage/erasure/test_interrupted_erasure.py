"""Erasure that is killed or fails: repeated, it ends as if it had never been interrupted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kinesphere.errors import CorruptObject
from kinesphere.video.video_keys import video_key
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.exports import export_version
from storage.publishing.publish import publish
from storage.workspace import Workspace, create_workspace, open_workspace
from tests.support.interruptions import Killed, killed_at
from tests.support.kitchens import make_kitchen, state_of
from tests.support.populated_workspaces import populate


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


def test_a_version_that_cannot_be_read_stops_it_before_anything_is_deleted(kitchen: Workspace) -> None:
    kitchen.objects.put("datasets/kitchen/versions/000001.parquet", b"damaged")
    with pytest.raises(CorruptObject, match=r"'datasets/kitchen/versions/000001.parquet' was changed"):
        erase(kitchen, "anna", who="eve")
    assert all(kitchen.objects.exists(video_key(row.recording)) for row in kitchen.catalog.recordings())
    assert any("cannot be read" in trace.what for trace in find_traces(kitchen, "anna"))


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
