"""What flushing before confirming costs `submit` and `publish`: `python -m benchmarks.durability --folder FOLDER`.

Both ways take turns in one process: as it is, and as it was, by obstore, which writes and renames and flushes
nothing. The catalog flushes in both. FOLDER is to lie on the disk that is asked about.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from unittest.mock import patch

import obstore

from capture.drafts.outbox import submit
from kinesphere.objects.store import Objects
from storage.publishing.publish import publish
from storage.workspace import Workspace, create_workspace
from tests.support.populated_workspaces import describe, populate

RECORDINGS = 10
"""Accepted ones, which are published."""


def main() -> None:
    """Measure both in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the workspace is made, on a real disk")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--megabytes", type=int, default=20, help="of each video; 20 is half a minute at 720p")
    chosen = parser.parse_args()
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        workspace = create_workspace(Path(folder) / "workspace")
        populate(workspace, {"c001": RECORDINGS}, frames=300)
        publish(workspace, "warm")
        for number in range(chosen.rounds):
            for way, seed in (("before", 1000 + number), ("now", 2000 + number)):
                recording = _draft(workspace, seed, chosen.megabytes << 20)
                for what, call in (
                    ("submit", lambda recording=recording: submit(workspace, recording)),
                    ("publish", lambda way=way, number=number: publish(workspace, f"{way}-{number}")),
                ):
                    found.setdefault((what, way), []).append(_seconds(call, way))
        workspace.catalog.close()
    print(f"{'':10}{'before':>10}{'now':>10}{'ratio':>8}")
    for what in ("submit", "publish"):
        before, now = (statistics.median(found[what, way]) for way in ("before", "now"))
        print(f"{what:10}{before * 1e3:>7.1f} ms{now * 1e3:>7.1f} ms{now / before:>8.2f}")


def _seconds(call: Callable[[], object], way: str) -> float:
    if way == "before":
        with patch.object(Objects, "put_all", _unflushed), patch.object(Objects, "put_if_absent", _unflushed_if_absent):
            return _seconds(call, "now")
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _unflushed(objects: Objects, contents: Mapping[str, bytes | Path]) -> None:
    for key, data in contents.items():
        obstore.put(objects.raw, key, data, mode="overwrite")


def _unflushed_if_absent(objects: Objects, key: str, data: bytes) -> bool:
    obstore.put(objects.raw, key, data, mode="create")
    return True


def _draft(workspace: Workspace, seed: int, size: int) -> str:
    """A draft whose video nobody looks into."""
    draft = describe("c001", seed=seed)
    folder = workspace.drafts / draft.recording
    folder.mkdir(parents=True)
    (folder / "recording.json").write_bytes(draft.to_bytes())
    (folder / "video.mp4").write_bytes(bytes(range(256)) * (size // 256))
    workspace.catalog.add_recording(draft, who="c001")
    return draft.recording


if __name__ == "__main__":
    main()
