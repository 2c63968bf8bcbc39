"""The proof of an erasure sees files that no catalog and no listing shows, and the erasure takes them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from kinesphere.errors import NotFound
from kinesphere.video.video_keys import video_key
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.erasure.unfinished_files import upload_name
from storage.workspace import Workspace
from tests.support.populated_workspaces import populate

HOUR_AGO = (time.time() - 3600,) * 2


@pytest.fixture
def kitchen(workspace: Workspace) -> Workspace:
    populate(workspace, {"anna": 1, "ben": 1})
    return workspace


def test_parts_of_uploads_of_theirs_go_and_those_of_others_stay(kitchen: Workspace) -> None:
    kitchen.uploads.mkdir()
    names = {
        whose: kitchen.uploads / upload_name(f"{number:032x}", "eve", 10, whose, None)
        for number, whose in enumerate(["anna", "ben", None])
    }
    foreign = kitchen.uploads / f"{9:032x}.{9:032x}.open"  # of an earlier release
    for path in (*names.values(), foreign):
        path.write_bytes(b"frames")
    left = {trace.where for trace in find_traces(kitchen, "anna")}
    assert left >= {str(names["anna"]), str(names[None]), str(foreign)} and str(names["ben"]) not in left
    erase(kitchen, "anna", who="eve")
    assert list(kitchen.uploads.iterdir()) == [names["ben"]]
    assert find_traces(kitchen, "anna") == []
    names["anna"].write_bytes(b"frames")  # of a server that was killed, or another computer's that came back
    assert [trace.where for trace in find_traces(kitchen, "anna")] == [str(names["anna"])]
    erase(kitchen, "anna", who="eve")
    assert find_traces(kitchen, "anna") == []


def test_an_upload_of_a_recording_that_was_withdrawn_goes_with_it(kitchen: Workspace) -> None:
    (row,) = kitchen.catalog.recordings(contributor="anna")
    kitchen.uploads.mkdir()
    parts = [
        kitchen.uploads / upload_name(f"{number:032x}", "eve", 10, "anna", recording)
        for number, recording in enumerate([row.recording, "20261124-000000-0000ffff"])
    ]
    for path in parts:
        path.write_bytes(b"frames")
    kitchen.catalog.withdraw(row.recording, who="anna", why="")
    erase(kitchen, None, who="eve")
    assert list(kitchen.uploads.iterdir()) == parts[1:]


def test_empty_folders_and_what_was_half_written_go(kitchen: Workspace) -> None:
    (row,) = kitchen.catalog.recordings(contributor="anna")
    folder = kitchen.folder
    erase(kitchen, "anna", who="eve")
    left = [
        folder / "recordings" / row.recording,  # whatever process came late
        folder / "recordings/20261124-000000-0000ffff",
        folder / "shards/00112233445566778899aabbccddeeff.zarr/valid/c",
    ]
    for empty in left:
        empty.mkdir(parents=True)
    late = folder / video_key(row.recording)
    late.write_bytes(b"video")
    half = folder / "datasets/kitchen/versions/000001.parquet#1"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"episodes of anna")
    os.utime(half, HOUR_AGO)
    making = folder / "temporary" / f"{row.recording}-x1"
    making.mkdir(parents=True)
    (making / "blurred.mp4").write_bytes(b"frames")
    where = " ".join(trace.where for trace in find_traces(kitchen, "anna"))
    for path in (*left[:2], half, making, left[2].parent.parent):
        assert str(path.relative_to(folder)) in where
    erase(kitchen, "anna", who="eve")
    assert find_traces(kitchen, "anna") == []
    assert not any(path.exists() for path in (*left, half, making, late))


def test_what_somebody_is_writing_at_this_moment_is_not_taken_from_them(kitchen: Workspace) -> None:
    writing = kitchen.folder / "shards/00112233445566778899aabbccddeeff.zarr/valid/c/0#1"
    writing.parent.mkdir(parents=True)
    writing.write_bytes(b"motion")
    erase(kitchen, "anna", who="eve")
    assert writing.exists()
    assert any("shards/0011" in trace.where for trace in find_traces(kitchen, "anna"))
    os.utime(writing, HOUR_AGO)
    for parent in writing.parents[:3]:
        os.utime(parent, HOUR_AGO)
    erase(kitchen, "anna", who="eve")
    assert not writing.exists() and find_traces(kitchen, "anna") == []


def test_a_draft_that_comes_late_is_not_kept(kitchen: Workspace, tmp_path: Path) -> None:
    from capture.drafts.outbox import adopt_drafts
    from tests.support.populated_workspaces import describe
    from tests.support.submitted_takes import make_take
    from tests.support.video_clips import make_clip

    clip = make_clip(tmp_path / "clip.mp4")
    real = kitchen.catalog.add_recording

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            type(kitchen.catalog),
            "add_recording",
            lambda self, *given, **named: (erase(kitchen, "anna", who="eve"), real(*given, **named)),
        )
        with pytest.raises(NotFound, match="contributor"):
            make_take(kitchen, clip, contributor="anna")
    assert find_traces(kitchen, "anna") == []
    lost = describe("anna", seed=50)
    folder = kitchen.drafts / lost.recording
    folder.mkdir(parents=True)
    (folder / "recording.json").write_text(json.dumps(json.loads(lost.to_bytes())))
    (folder / "video.mp4").write_bytes(b"frames")
    assert adopt_drafts(kitchen) == [], "it stops nobody else's command"
    erase(kitchen, "anna", who="eve")
    assert find_traces(kitchen, "anna") == []
