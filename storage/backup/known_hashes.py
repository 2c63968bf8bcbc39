"""Which of two contents is the right one, of an object that never changes once it is confirmed."""

from __future__ import annotations

from collections.abc import Mapping

from kinesphere.errors import KinesphereError
from kinesphere.objects.store import Objects
from kinesphere.shards.shard import Shard
from kinesphere.versions.manifests import read_manifest
from kinesphere.versions.table_parts import parts_of
from storage.backup.backup_content import DRAFTS
from storage.backup.backup_place import Entry


def is_immutable(key: str) -> bool:
    """Whether an object stays as it is for as long as it is there."""
    if key.startswith(f"{DRAFTS}/"):
        return False
    return key.startswith("shards/") or key.endswith(("/recording.json", "/video.mp4", ".parquet"))


def right_one(objects: Objects, before: Entry, now: Entry, videos: Mapping[str, str]) -> Entry:
    """Of two contents the one that is as its catalog, shard or version says; the earlier where nothing says it.

    Args:
        objects: of the workspace.
        before: what an earlier backup holds.
        now: what the workspace holds.
        videos: SHA-256 of videos by key, as the catalog knows them.
    """
    try:
        stated = videos[now.key] if now.key in videos else _stated(objects, now)
    except KinesphereError:
        return before  # what would say it is damaged now
    return now if stated == now.sha256 else before


def _stated(objects: Objects, now: Entry) -> str | None:
    kind, name, *inside = now.key.split("/")
    if kind == "shards":
        listed = Shard(objects, name.removesuffix(".zarr")).attributes["objects"]
        # A shard's own metadata is right if its id follows from it, which was looked at just now.
        return now.sha256 if inside == ["zarr.json"] else str(listed["/".join(inside)]["sha256"])
    if kind == "datasets":
        number = int(inside[-1].split(".")[0])
        parts = parts_of(read_manifest(objects, name, number).manifest)
        return next((part.sha256 for part in parts if part.key == now.key), None)
    return None
