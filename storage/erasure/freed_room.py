"""An erasure on a full disk: it needs some room for its own notes, and takes it from what it will delete anyway."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from kinesphere.errors import CorruptObject
from kinesphere.video.video_keys import blurred_key, video_key
from storage.erasure.unfinished_files import mark
from storage.workspace import open_store

ROOM_BYTES = 4 << 20
"""With less than this free, a catalog may not even open: it keeps files beside itself."""


def make_room(folder: Path, contributor: str) -> None:
    """Delete videos, drafts and uploads of a contributor if the disk is full; their erasure follows.

    It needs no catalog: what lies beside the videos says whose they are. Interrupted after this, the erasure can be
    repeated, and until then the contributor's recordings have no videos.

    Args:
        folder: of a workspace.
        contributor: who is to be erased, without doubt.

    Raises:
        NotFound: there is no workspace.
    """
    objects = open_store(folder)
    if shutil.disk_usage(folder).free >= ROOM_BYTES:
        return
    for path in (folder / "uploads").glob(f"*.*.{mark(contributor)}.*.*"):
        path.unlink(missing_ok=True)
    for draft in (folder / "drafts").glob("*"):
        if any(_whose(draft / name) == contributor for name in ("recording.json", "begun.json")):
            shutil.rmtree(draft, ignore_errors=True)
    if objects.local_path("") is None:
        return
    for recording in objects.folders("recordings"):
        try:
            description = json.loads(objects.get(f"recordings/{recording}/recording.json"))
        except (CorruptObject, ValueError):
            continue
        if description.get("contributor") == contributor:
            objects.delete(blurred_key(recording))
            objects.delete(video_key(recording))


def _whose(file: Path) -> str | None:
    try:
        whose: str | None = json.loads(file.read_bytes()).get("contributor")
    except (OSError, ValueError):
        return None
    return whose
