"""Erasure: what a person recorded leaves the versions, the objects, the drafts and the catalog; a tombstone stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kinesphere.errors import Conflict, NotFound, StorageFailed
from kinesphere.objects.local_files import flush_names
from kinesphere.objects.store import Objects
from kinesphere.shards.shard import shard_key
from kinesphere.version import __version__
from kinesphere.video.video_keys import blurred_key, video_key
from storage.catalog import DataToErase, ErasureRecord, Erasures, Exports
from storage.catalog.erasure_entries import fingerprint
from storage.catalog.freed_space import drop_freed_space
from storage.erasure.cache_erasure import forget_cached
from storage.erasure.derived_pictures import delete_drawings
from storage.erasure.freed_room import make_room
from storage.erasure.unfinished_files import delete_hidden, remove_quiet, temporary_of, uploads_of
from storage.erasure.unfinished_folders import DESCRIBED_BY, description_of, is_abandoned
from storage.erasure.withdrawn_versions import Departed, Replaced, replace_versions
from storage.exports.export_erasure import settle_exports
from storage.workspace import Workspace

FORMAT_VERSION = 1
KIND = "kinesphere-erasure"


def erase(
    workspace: Workspace, contributor: str | None, *, who: str, on_step: Callable[[str], None] = lambda step: None
) -> ErasureRecord | None:
    """Erase a contributor, or all recordings that were withdrawn; what they recorded is gone for good.

    In this order, so that it can be interrupted anywhere and, repeated, ends the same: their recordings are withdrawn
    and the erasure entered in the catalog; every version that names them is replaced by one without them, and
    becomes a tombstone; registered exports follow their versions; their videos and shards are deleted, those among
    them that no catalog knows; then their drafts, drawings, and what a reader's cache on this computer keeps of them;
    last the catalog forgets them. What stays is a tombstone, in the catalog and under `erasures/`, with a
    receipt, counts, and ids that lead nowhere any more: whoever holds copies can tell by it what to delete.

    The work follows the person: only the episode tables of versions and the listing of the store's folders grow with
    the dataset. One erasure is at work on a workspace at a time; another waits, and then takes what is left.

    Args:
        workspace: an open workspace.
        contributor: None erases the recordings that were withdrawn so far, of whomever.
        who: who erases, for the record.
        on_step: told in a few words what is done next.

    Returns:
        What was done, now or before; None if `contributor` is None and nothing is withdrawn.

    Raises:
        NotFound: no such contributor is enrolled, and none was erased.
        Conflict: a shard holds both withdrawn recordings and others.
        CorruptObject: a version cannot be read, so that nobody can tell whom it names.
    """
    if contributor is not None and contributor in workspace.catalog.contributors():
        make_room(workspace.folder, contributor)
    with workspace.catalog.lock("erasure"):
        return _erase(workspace, contributor, who, on_step)


def _erase(
    workspace: Workspace, contributor: str | None, who: str, on_step: Callable[[str], None]
) -> ErasureRecord | None:
    erasures, objects = Erasures(workspace.catalog), workspace.objects
    while True:
        on_step("withdrawing recordings")
        erasure = erasures.begin(contributor, who=who)
        if erasure is None:
            return _done_before(workspace, erasures, contributor)
        data = erasures.data_to_erase(erasure)
        _check_shards(erasures, data)
        departed = Departed(erasure.receipt, frozenset(data.recordings), contributor)
        on_step("replacing versions")
        try:
            replaced = replace_versions(objects, departed, created_by=who)
        except StorageFailed:  # a full disk, mostly: what goes anyway makes room
            for recording in data.recordings:
                objects.delete(blurred_key(recording))
                objects.delete(video_key(recording))
            replaced = replace_versions(objects, departed, created_by=who)
        exports = settle_exports(workspace, erasure.receipt, on_step)
        on_step("deleting videos and shards")
        of_shards = [key for shard in data.shards for key in objects.keys(shard_key(shard))]
        _delete_objects(objects, data)
        delete_strays(workspace, departed)
        _delete_local(workspace, departed)
        forget_cached(_urls(workspace), data.recordings, data.shards, of_shards)
        on_step("clearing the catalog")
        if erasures.finish(erasure, data, _tombstone(erasure, data, replaced, exports)):
            break
    drop_freed_space(workspace.catalog.engine, None if contributor is None else contributor.encode())
    delete_uploads(workspace, departed)  # those that began before the catalog had forgotten them
    (done,) = (record for record in erasures.done() if record.receipt == erasure.receipt)
    keep_tombstone(objects, done)
    return done


def tombstone_key(receipt: str) -> str:
    """Key of what is kept of an erasure."""
    return f"erasures/{receipt}.json"


def delete_shard(objects: Objects, shard_id: str) -> None:
    """Delete a shard: first what makes it visible, then its arrays.

    Args:
        objects: an object store.
        shard_id: its id.
    """
    objects.delete(f"{shard_key(shard_id)}/zarr.json")
    objects.delete_below(shard_key(shard_id))


def drafts_of(workspace: Workspace, departed: Departed) -> Iterator[Path]:
    """The folders of takes in the outbox, finished or not, that belong to those who leave."""
    folders = sorted(workspace.drafts.iterdir()) if workspace.drafts.is_dir() else []
    for folder in folders:
        for name in ("recording.json", "begun.json"):
            if _is_leaving(_json_of(folder / name), departed):
                yield folder
                break


def strays_of(workspace: Workspace, departed: Departed) -> Iterator[tuple[str, bool]]:
    """Folders of videos and shards that no catalog knows and that belong to those who leave, or to nobody any more.

    A process leaves them that was killed between beginning to write objects and entering them, or that was writing
    while the recording was withdrawn.

    Yields:
        The prefix of each, and whether it is theirs for certain.
    """
    objects = workspace.objects
    erasures = Erasures(workspace.catalog)
    (recordings, shards), erased = erasures.known(), erasures.erased_recordings()
    for prefix, name in DESCRIBED_BY.items():
        for folder in objects.folders(prefix):
            if folder.removesuffix(".zarr") in (recordings if prefix == "recordings" else shards):
                continue
            place = f"{prefix}/{folder}"
            description = description_of(objects, f"{place}/{name}")
            is_theirs = folder in erased or (
                description is not None and _is_told_leaving(prefix, description, departed)
            )
            if is_theirs or (not objects.exists(f"{place}/{name}") and is_abandoned(objects, place)):
                yield place, is_theirs


def delete_strays(workspace: Workspace, departed: Departed) -> None:
    """Delete what `strays_of` finds."""
    objects = workspace.objects
    for prefix, is_theirs in list(strays_of(workspace, departed)):
        folder = objects.local_path(prefix)
        if folder is not None and not is_theirs and not objects.keys(prefix):
            remove_quiet(folder)  # somebody else's shard may be begun in it at this moment
            continue
        objects.delete(f"{prefix}/zarr.json")
        objects.delete_below(prefix)


def _done_before(workspace: Workspace, erasures: Erasures, contributor: str | None) -> ErasureRecord | None:
    """What an earlier call has done; clears what a process wrote that was still busy with it then."""
    if contributor is None:
        return None
    found = erasures.erased(contributor)
    if not found:
        raise NotFound("contributor", contributor, hint="see: kinesphere contributor list")
    for record in found:
        assert record.tombstone is not None  # of an erasure that is done
        departed = Departed(record.receipt, frozenset(record.tombstone["recordings"]), contributor)
        replace_versions(workspace.objects, departed, created_by=record.who)
        settle_exports(workspace, record.receipt)
        delete_strays(workspace, departed)
        _delete_local(workspace, departed)
        forget_cached(_urls(workspace), departed.recordings, record.tombstone["shards"])
        keep_tombstone(workspace.objects, record)
    drop_freed_space(workspace.catalog.engine, contributor.encode())
    return found[-1]


def _check_shards(erasures: Erasures, data: DataToErase) -> None:
    for shard, recording in erasures.shared_shards(data).items():
        raise Conflict(
            f"shard {shard} also holds recording {recording}, which was not withdrawn; withdraw it too, or erase "
            "the whole contributor"
        )


def _delete_objects(objects: Objects, data: DataToErase) -> None:
    for recording in data.recordings:
        objects.delete_below(f"recordings/{recording}")
    for shard in data.shards:
        delete_shard(objects, shard)


def _delete_local(workspace: Workspace, departed: Departed) -> None:
    """Delete what lies on this computer beside the objects: drafts, uploads, drawings, and what the killed left."""
    delete_drawings(workspace, departed)
    delete_uploads(workspace, departed)
    for path in list(temporary_of(workspace, departed, Erasures(workspace.catalog).erased_recordings())):
        shutil.rmtree(path, ignore_errors=True)
    delete_hidden(workspace.objects)
    for folder in list(drafts_of(workspace, departed)):
        shutil.rmtree(folder)
        folder.with_suffix(".lock").unlink(missing_ok=True)
    flush_names([workspace.drafts / "any", workspace.temporary / "any"], workspace.folder)


def delete_uploads(workspace: Workspace, departed: Departed) -> None:
    """Delete what `uploads_of` finds; whoever is sending begins again, and is refused."""
    for path in list(uploads_of(workspace, departed)):
        path.unlink(missing_ok=True)
    flush_names([workspace.uploads / "any"], workspace.folder)


def _urls(workspace: Workspace) -> list[str]:
    """Where readers may have found the same shards: in the workspace, and in copies of its versions."""
    copies = [export.location for export in Exports(workspace.catalog).all() if export.format == "kinesphere"]
    return [workspace.objects.url, *copies]


def _tombstone(
    erasure: ErasureRecord, data: DataToErase, replaced: Sequence[Replaced], exports: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    contributor = erasure.contributor
    return {
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "receipt": erasure.receipt,
        "contributor_sha256": None if contributor is None else fingerprint(erasure.receipt, contributor),
        "by": erasure.who,
        "begun_at": erasure.begun_at.isoformat(timespec="seconds"),
        "done_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": {"kinesphere": __version__},
        "counts": {
            "recordings": len(data.recordings),
            "frames": data.frames,
            "seconds": data.duration_ns / 1e9,
            "shards": len(data.shards),
            "versions": len(replaced),
            "exports": len(exports),
        },
        "recordings": list(data.recordings),
        "shards": list(data.shards),
        "versions": [asdict(version) for version in replaced],
        "exports": [dict(export) for export in exports],
    }


def keep_tombstone(objects: Objects, record: ErasureRecord) -> None:
    """Write the tombstone of an erasure that is done under its key."""
    content = (json.dumps(record.tombstone, indent=2) + "\n").encode()
    objects.put(tombstone_key(record.receipt), content)


def _is_leaving(description: dict[str, Any] | None, departed: Departed) -> bool:
    """Whether what `recording.json` or `begun.json` says is of somebody, or something, that leaves."""
    if description is None:
        return False
    if departed.contributor is not None and description.get("contributor") == departed.contributor:
        return True
    return description.get("recording") in departed.recordings


def _is_told_leaving(prefix: str, description: dict[str, Any], departed: Departed) -> bool:
    """Whether what describes a folder below a prefix is of somebody, or something, that leaves."""
    is_leaving = _is_leaving if prefix == "recordings" else _is_shard_leaving
    return is_leaving(description, departed)


def _is_shard_leaving(group: dict[str, Any], departed: Departed) -> bool:
    attributes = group.get("attributes", {})
    if departed.contributor is not None and attributes.get("contributor") == departed.contributor:
        return True
    return any(trajectory.get("recording") in departed.recordings for trajectory in attributes.get("trajectories", ()))


def _json_of(file: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found
