"""Erasure: what a person recorded leaves the versions, the objects, the drafts and the catalog; a tombstone stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kinesphere.errors import Conflict, CorruptObject, NotFound
from kinesphere.objects.local_files import flush_folder
from kinesphere.objects.store import Objects
from kinesphere.shards.shard import shard_key
from kinesphere.version import __version__
from storage.catalog import Belongings, ErasureRecord, Erasures, Exports
from storage.catalog.erasure_entries import fingerprint
from storage.erasure.cache_erasure import forget_cached
from storage.erasure.derived_pictures import delete_drawings
from storage.erasure.withdrawn_versions import Departed, Replaced, replace_versions
from storage.exports.export_erasure import settle_exports
from storage.workspace import Workspace

FORMAT_VERSION = 1
KIND = "kinesphere-erasure"

_ABANDONED = timedelta(days=1)
"""A shard takes seconds to write: arrays without a group that are older were left by a writer that died."""


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
    with workspace.catalog.lock("erasure"):
        return _erase(workspace, contributor, who, on_step)


def _erase(
    workspace: Workspace, contributor: str | None, who: str, on_step: Callable[[str], None]
) -> ErasureRecord | None:
    erasures, objects = Erasures(workspace.catalog), workspace.objects
    while True:
        on_step("withdrawing recordings")
        begun = erasures.begin(contributor, who=who)
        if begun is None:
            return _done_before(workspace, erasures, contributor)
        belongings = erasures.belongings(begun)
        _check_shards(erasures, belongings)
        departed = Departed(begun.receipt, frozenset(belongings.recordings), contributor)
        on_step("replacing versions")
        replaced = replace_versions(objects, departed, created_by=who)
        exports = settle_exports(workspace, begun.receipt, on_step)
        on_step("deleting videos and shards")
        _delete_objects(objects, belongings)
        delete_strays(workspace, departed)
        _delete_drafts(workspace, departed)
        delete_drawings(workspace, departed)
        forget_cached(_urls(workspace), belongings.recordings, belongings.shards)
        on_step("clearing the catalog")
        if erasures.finish(begun, belongings, _tombstone(begun, belongings, replaced, exports)):
            break
    (done,) = (record for record in erasures.done() if record.receipt == begun.receipt)
    _keep_tombstone(objects, done)
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


def strays_of(workspace: Workspace, departed: Departed) -> Iterator[str]:
    """Folders of videos and shards that no catalog knows and that belong to those who leave, or to nobody any more.

    A process leaves them that was killed between writing objects and entering them, or that was writing while
    the recording was withdrawn.
    """
    objects = workspace.objects
    recordings, shards = Erasures(workspace.catalog).known()
    for name in objects.folders("recordings"):
        if name not in recordings and _is_leaving(_described(objects, f"recordings/{name}/recording.json"), departed):
            yield f"recordings/{name}"
    for name in objects.folders("shards"):
        if name.removesuffix(".zarr") in shards:
            continue
        group = _described(objects, f"shards/{name}/zarr.json")
        if _is_abandoned(objects, f"shards/{name}") if group is None else _is_shard_leaving(group, departed):
            yield f"shards/{name}"


def delete_strays(workspace: Workspace, departed: Departed) -> None:
    """Delete what `strays_of` finds."""
    for prefix in list(strays_of(workspace, departed)):
        workspace.objects.delete(f"{prefix}/zarr.json")
        workspace.objects.delete_below(prefix)


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
        _delete_drafts(workspace, departed)
        delete_drawings(workspace, departed)
        forget_cached(_urls(workspace), departed.recordings, record.tombstone["shards"])
        _keep_tombstone(workspace.objects, record)
    return found[-1]


def _check_shards(erasures: Erasures, belongings: Belongings) -> None:
    for shard, recording in erasures.shared_shards(belongings).items():
        raise Conflict(
            f"shard {shard} also holds recording {recording}, which was not withdrawn; withdraw it too, or erase "
            "the whole contributor"
        )


def _delete_objects(objects: Objects, belongings: Belongings) -> None:
    for recording in belongings.recordings:
        objects.delete_below(f"recordings/{recording}")
    for shard in belongings.shards:
        delete_shard(objects, shard)


def _delete_drafts(workspace: Workspace, departed: Departed) -> None:
    for folder in list(drafts_of(workspace, departed)):
        shutil.rmtree(folder)
        folder.with_suffix(".lock").unlink(missing_ok=True)
    if workspace.drafts.is_dir():
        flush_folder(workspace.drafts)


def _urls(workspace: Workspace) -> list[str]:
    """Where readers may have found the same shards: in the workspace, and in copies of its versions."""
    copies = [export.location for export in Exports(workspace.catalog).all() if export.format == "kinesphere"]
    return [workspace.objects.url, *copies]


def _tombstone(
    begun: ErasureRecord, belongings: Belongings, replaced: Sequence[Replaced], exports: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    contributor = begun.contributor
    return {
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "receipt": begun.receipt,
        "contributor_sha256": None if contributor is None else fingerprint(begun.receipt, contributor),
        "by": begun.who,
        "begun_at": begun.begun_at.isoformat(timespec="seconds"),
        "done_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": {"kinesphere": __version__},
        "counts": {
            "recordings": len(belongings.recordings),
            "frames": belongings.frames,
            "seconds": belongings.duration_ns / 1e9,
            "shards": len(belongings.shards),
            "versions": len(replaced),
            "exports": len(exports),
        },
        "recordings": list(belongings.recordings),
        "shards": list(belongings.shards),
        "versions": [asdict(version) for version in replaced],
        "exports": [dict(export) for export in exports],
    }


def _keep_tombstone(objects: Objects, record: ErasureRecord) -> None:
    content = (json.dumps(record.tombstone, indent=2) + "\n").encode()
    objects.put(tombstone_key(record.receipt), content)


def _is_leaving(description: dict[str, Any] | None, departed: Departed) -> bool:
    """Whether what `recording.json` or `begun.json` says is of somebody, or something, that leaves."""
    if description is None:
        return False
    if departed.contributor is not None and description.get("contributor") == departed.contributor:
        return True
    return description.get("recording") in departed.recordings


def _is_abandoned(objects: Objects, prefix: str) -> bool:
    return datetime.now(UTC) - objects.changed_at(prefix) > _ABANDONED


def _is_shard_leaving(group: dict[str, Any], departed: Departed) -> bool:
    attributes = group["attributes"]
    if departed.contributor is not None and attributes.get("contributor") == departed.contributor:
        return True
    return any(trajectory.get("recording") in departed.recordings for trajectory in attributes.get("trajectories", ()))


def _described(objects: Objects, key: str) -> dict[str, Any] | None:
    try:
        content = objects.get(key)
    except CorruptObject:
        return None  # there is none
    found: dict[str, Any] = json.loads(content)
    return found


def _json_of(file: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found
