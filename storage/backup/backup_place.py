"""Where backups lie: dated snapshots of the catalog, and objects that snapshots share, each under key and content hash.

kinesphere-backup.json                        what this is, and of which workspace
snapshots/<name>/catalog.jsonl.gz             the catalog at one moment
snapshots/<name>/objects.jsonl.gz             every object that it points to: key, size, SHA-256
snapshots/<name>/manifest.json                written last: a snapshot is there once this is
objects/<key>/<sha256>                        never changed; kept as long as a snapshot names it
erasures/<receipt>.json                       what is kept of erasures, for ever
unfinished.jsonl.gz                           what an interrupted backup has copied
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kinesphere.errors import Conflict, CorruptObject, NewerFormat, NotFound
from kinesphere.objects.object_listing import list_objects
from kinesphere.objects.store import Objects, open_objects
from kinesphere.version import __version__

FORMAT_VERSION = 1
KIND = "kinesphere-backup"
NOTE = "kinesphere-backup.json"
LEDGER = "erasures"
"""Below this lie the tombstones of erasures, here and in a workspace."""
_MANIFEST = "manifest.json"
_UNFINISHED = "unfinished.jsonl.gz"


@dataclass(frozen=True)
class Entry:
    """An object in a backup."""

    key: str
    """In the workspace; drafts lie under `drafts/`, though they are files of the workspace's own folder."""
    sha256: str
    size_bytes: int
    tag: str
    """The workspace's mark of the content that was copied; as long as it is the same, nothing is read again."""

    @property
    def place(self) -> str:
        """Key in the backup."""
        return f"objects/{self.key}/{self.sha256}"


@dataclass(frozen=True)
class Snapshot:
    """A whole backup, as it was at one moment."""

    name: str
    manifest: Mapping[str, Any]

    @property
    def made_at(self) -> datetime:
        """The moment, UTC."""
        return datetime.fromisoformat(self.manifest["made_at"])


@dataclass(frozen=True)
class BackupPlace:
    """A folder or a prefix of an object store that holds the backups of one workspace."""

    objects: Objects

    @classmethod
    def open(cls, location: str | Path) -> BackupPlace:
        """Open a place that holds backups.

        Args:
            location: a folder, or the URL of a prefix.

        Returns:
            The place.

        Raises:
            NotFound: there is no backup.
            NewerFormat: a later release has written it.
        """
        objects = open_objects(location)
        if _read_note(objects) is None:
            raise NotFound("backup", objects.url, hint="make one with: kinesphere backup DEST")
        return cls(objects)

    @classmethod
    def begin(cls, location: str | Path, workspace: str, first_task: str | None) -> BackupPlace:
        """Open a place for backups of a workspace, or make it one.

        Args:
            location: a folder, or the URL of a prefix.
            workspace: name of the workspace.
            first_task: what tells it from others of that name; None where nothing does yet.

        Returns:
            The place.

        Raises:
            Conflict: it holds something else.
            NewerFormat: a later release has written it.
        """
        objects = open_objects(location, create=True)
        note = _read_note(objects)
        if note is None and (objects.folders("") or objects.keys("")):
            raise Conflict(f"{objects.url} is not empty and no backup; a backup needs a place of its own")
        if note is not None and note["workspace"] != workspace:
            raise Conflict(
                f"{objects.url} holds the backup of the workspace '{note['workspace']}', not of '{workspace}'; "
                "choose another place"
            )
        known = None if note is None else note["first_task"]
        if known is not None and known != first_task:
            raise Conflict(
                f"{objects.url} holds the backup of another workspace named '{workspace}' (its first task is {known}); "
                "choose another place"
            )
        if note is None or known != first_task:
            content = {"kind": KIND, "format_version": FORMAT_VERSION, "workspace": workspace, "first_task": first_task}
            objects.put(NOTE, _pretty(content))
        return cls(objects)

    @property
    def workspace(self) -> str:
        """Name of the workspace that it is of."""
        note = _read_note(self.objects)
        return str(note["workspace"]) if note is not None else ""

    def snapshots(self) -> list[Snapshot]:
        """All whole snapshots, oldest first.

        Returns:
            None of those that were interrupted.

        Raises:
            CorruptObject: a manifest is damaged.
            NewerFormat: a later release wrote it.
        """
        found = []
        for name in self.objects.folders("snapshots"):
            key = f"snapshots/{name}/{_MANIFEST}"
            if not self.objects.exists(key):
                continue
            manifest = _read_manifest(self.objects, name, key)
            found.append(Snapshot(name, manifest))
        return found

    def new_name(self) -> str:
        """A name for the next snapshot: a number that is never used again, so that clocks may be wrong, and the date.

        Returns:
            The name; names sort by age.
        """
        numbers = [int(name.split("-")[0]) for name in self.objects.folders("snapshots")]
        return f"{max(numbers, default=0) + 1:06d}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"

    def entries(self, snapshot: Snapshot) -> dict[str, Entry]:
        """The objects that a snapshot points to, by their keys in the workspace.

        Args:
            snapshot: a whole one.

        Returns:
            An entry for each.

        Raises:
            CorruptObject: the list is missing or damaged.
        """
        return _read_entries(self.checked(snapshot, "objects"))

    def checked(self, snapshot: Snapshot, part: str) -> bytes:
        """The bytes of a part of a snapshot, once they are known to be those that were written.

        Args:
            snapshot: a whole one.
            part: "catalog" or "objects".

        Returns:
            Compressed lines.

        Raises:
            CorruptObject: it is missing or damaged.
        """
        said = snapshot.manifest[part]
        content = self.objects.get(said["key"])
        if hashlib.sha256(content).hexdigest() != said["sha256"]:
            raise CorruptObject(f"object '{said['key']}' in {self.objects.url} is damaged; take another snapshot")
        return content

    def put_part(self, name: str, part: str, content: bytes) -> dict[str, Any]:
        """Write a part of a snapshot.

        Args:
            name: of the snapshot.
            part: "catalog" or "objects".
            content: compressed lines.

        Returns:
            What the manifest says of it.
        """
        key = f"snapshots/{name}/{part}.jsonl.gz"
        self.objects.put(key, content)
        return {"key": key, "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}

    def finish(self, name: str, manifest: Mapping[str, Any], entries: Iterable[Entry]) -> Snapshot:
        """Write the list of objects and then the manifest: the snapshot is there from now on.

        Args:
            name: of the snapshot.
            manifest: what else is said of it, plain JSON.
            entries: all objects that it points to; they are there.

        Returns:
            The snapshot.
        """
        listed = list(entries)
        content = {
            "format_version": FORMAT_VERSION,
            "kind": f"{KIND}-snapshot",
            "software": {"kinesphere": __version__},
            **manifest,
            "counts": {"objects": len(listed), "bytes": sum(entry.size_bytes for entry in listed)},
            "objects": self.put_part(name, "objects", _write_entries(listed)),
        }
        content["sha256"] = _hash_of(content)
        self.objects.put(f"snapshots/{name}/{_MANIFEST}", _pretty(content))
        self.objects.delete(_UNFINISHED)
        return Snapshot(name, content)

    def remove(self, name: str) -> None:
        """Delete a snapshot, whole or not; objects that it shares stay.

        Args:
            name: of the snapshot.
        """
        self.objects.delete(f"snapshots/{name}/{_MANIFEST}")
        self.objects.delete_below(f"snapshots/{name}")

    def unfinished(self) -> dict[str, Entry]:
        """What an interrupted backup has noted of its objects.

        Returns:
            Entries by key; none where nothing was noted, or the note cannot be read.
        """
        try:
            return _read_entries(self.objects.get(_UNFINISHED))
        except CorruptObject:
            return {}

    def note_unfinished(self, entries: Iterable[Entry]) -> None:
        """Note what was copied so far, so that an interrupted backup need not read it again.

        Args:
            entries: of objects that are there.
        """
        self.objects.put(_UNFINISHED, _write_entries(entries))

    def stored(self) -> dict[str, int]:
        """The objects that are there, whether or not a snapshot names them.

        Returns:
            Size in bytes by place.
        """
        return {found.key: found.size_bytes for found in list_objects(self.objects, "objects")}

    def receipts(self) -> set[str]:
        """The receipts of all erasures that a backup of this workspace has seen.

        Returns:
            Their tombstones are there.
        """
        return receipts_in(self.objects)

    def tombstone(self, receipt: str) -> bytes:
        """What is kept of an erasure.

        Args:
            receipt: of the erasure.

        Returns:
            JSON.
        """
        return self.objects.get(f"{LEDGER}/{receipt}.json")


def receipts_in(objects: Objects) -> set[str]:
    """The receipts of the erasures whose tombstones lie in a place."""
    return {key.split("/")[-1].removesuffix(".json") for key in objects.keys(LEDGER)}


def _read_note(objects: Objects) -> dict[str, Any] | None:
    try:
        note: dict[str, Any] = json.loads(objects.get(NOTE))
        version = int(note["format_version"])
    except CorruptObject:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptObject(f"object '{NOTE}' in {objects.url} is damaged: {error}") from error
    if version > FORMAT_VERSION:
        raise NewerFormat(f"the backup {objects.url}", version, FORMAT_VERSION)
    return note if note.get("kind") == KIND else None


def _read_manifest(objects: Objects, name: str, key: str) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(objects.get(key))
        version, is_whole = int(manifest["format_version"]), manifest["sha256"] == _hash_of(manifest)
    except (ValueError, KeyError, TypeError):
        version, is_whole = 0, False
    if version > FORMAT_VERSION:
        raise NewerFormat(f"snapshot {name}", version, FORMAT_VERSION)
    if not is_whole:
        raise CorruptObject(
            f"object '{key}' in {objects.url} is damaged; delete the folder of that snapshot, and restore another one"
        )
    return manifest


def _pretty(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()


def _hash_of(manifest: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _write_entries(entries: Iterable[Entry]) -> bytes:
    lines = "".join(json.dumps(asdict(entry), separators=(",", ":")) + "\n" for entry in entries)
    return gzip.compress(lines.encode(), compresslevel=6)


def _read_entries(content: bytes) -> dict[str, Entry]:
    try:
        listed = [Entry(**json.loads(line)) for line in gzip.decompress(content).splitlines()]
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise CorruptObject(f"the list of a backup's objects is damaged: {error}") from error
    return {entry.key: entry for entry in listed}
