"""An erasure on a full disk frees room first, and ends."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from kinesphere.errors import StorageFailed
from kinesphere.video.video_keys import video_key
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.publishing.publish import publish
from storage.workspace import Workspace, create_workspace, open_workspace
from tests.support.command import Command
from tests.support.populated_workspaces import populate


def make_full(folder: Path, disk: Path) -> None:
    """Two recordings of anna, one with a larger video, and nothing free."""
    workspace = create_workspace(folder)
    populate(workspace, {"anna": 2, "ben": 1}, frames=8)
    publish(workspace, "kitchen")
    (first, *_) = workspace.catalog.recordings(contributor="anna")
    workspace.objects.put(video_key(first.recording), bytes(400_000))
    workspace.catalog.close()
    with (disk / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
        while True:
            filler.write(bytes(4096))


def test_the_command_erases_on_a_full_disk(small_disk: Path) -> None:
    folder = small_disk / "workspace"
    make_full(folder, small_disk)
    assert shutil.disk_usage(small_disk).free == 0
    with pytest.raises(StorageFailed, match="no space left"):
        open_workspace(folder)
    assert "Erased 2 recordings" in Command(folder).run("erase", "anna", "--yes").stdout
    workspace = open_workspace(folder)
    assert find_traces(workspace, "anna") == []
    assert [row.contributor for row in workspace.catalog.recordings() if row.contributor != "(erased)"] == ["ben"]
    workspace.catalog.close()


def test_what_goes_anyway_makes_room_for_the_versions_without_them(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(workspace, {"anna": 1, "ben": 1}, frames=8)
    publish(workspace, "kitchen")
    (annas,) = workspace.catalog.recordings(contributor="anna")
    put = type(workspace.objects).put_if_absent

    def full_while_the_video_is_there(self: object, *given: Any, **named: Any) -> bool:
        if workspace.objects.exists(video_key(annas.recording)):
            raise StorageFailed(os.strerror(28))
        return put(workspace.objects, *given, **named)

    monkeypatch.setattr(type(workspace.objects), "put_if_absent", full_while_the_video_is_there)
    erase(workspace, "anna", who="eve")
    assert find_traces(workspace, "anna") == []
