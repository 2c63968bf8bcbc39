"""The server's erasures go on after whatever has stopped one of them."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from storage.recordings.recording import State
from storage.workspace import create_workspace
from studio.web.contributing import erasure_thread
from studio.web.contributing.erasure_thread import ErasureThread
from tests.support.populated_workspaces import populate


def test_an_erasure_that_a_full_disk_stops_is_done_once_there_is_room(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It failed with an error that is none of ours: the index of duplicates could not be opened (`faults`, seed 70)."""
    monkeypatch.setattr(erasure_thread, "AGAIN_SECONDS", 0.05)
    workspace = create_workspace(small_disk / "workspace")
    populate(workspace, {"anna": 1}, frames=8, accept=False)
    (row,) = workspace.catalog.recordings()
    workspace.catalog.withdraw(row.recording, who="anna", why="a test")
    thread = ErasureThread(workspace)
    failures: list[str] = []
    monkeypatch.setattr(
        erasure_thread, "note", lambda event, **fields: failures.append(f"{event} {fields.get('kind')}")
    )
    with (small_disk / "ballast").open("wb", buffering=0) as ballast:
        while shutil.disk_usage(small_disk).free:
            ballast.write(bytes(4096))
    thread.start()
    try:
        until = time.monotonic() + 60
        while "withdrawn recordings are not erased yet OSError" not in failures:
            assert time.monotonic() < until and thread._thread.is_alive(), failures
            time.sleep(0.01)
        (small_disk / "ballast").unlink()
        while workspace.catalog.recording(row.recording).state is not State.ERASED:
            assert time.monotonic() < until and thread._thread.is_alive(), failures
            time.sleep(0.01)
    finally:
        thread.stop()
        workspace.catalog.close()
