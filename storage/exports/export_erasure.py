"""The exports' part of an erasure: copies of withdrawn versions go, or are made again without those who left."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from typing import Any

from kinesphere.errors import Conflict, CorruptObject, KinesphereError
from kinesphere.objects.store import Objects
from kinesphere.versions.manifests import Version, read_manifest
from storage.catalog import ExportRecord, Exports, ExportState
from storage.erasure.withdrawn_versions import Departed
from storage.exports.export_target import NOTE, reached, write_note
from storage.exports.export_writer import content_of
from storage.exports.exporters import exporter_for_erasure
from storage.workspace import Workspace

OUTCOMES = {"made": "made again without them", "removed": "removed", "unreachable": "could not be reached"}


def settle_exports(
    workspace: Workspace, receipt: str, on_step: Callable[[str], None] = lambda step: None
) -> list[dict[str, Any]]:
    """Bring every registered export of a version that was withdrawn to what is left of the version.

    A format that can leave people out is made again from the version that replaced it; of others all is deleted. One
    that cannot be reached, or that is not where it was, stays on the list and is tried at every erasure.

    Returns:
        What became of the exports that this erasure, now or in earlier attempts, has found; for its tombstone.
    """
    exports = Exports(workspace.catalog)
    for record in exports.all():
        version = _version_of(workspace, record)
        if version is not None and version.is_withdrawn:
            on_step(f"exports: {record.location}")
            _settle(workspace, record, _heir(workspace.objects, version), receipt)
    return [
        {
            "export": record.export,
            "dataset": record.dataset,
            "version": record.version if record.held_before is None else record.held_before,
            "format": record.format,
            "location": record.location,
            "made_on": record.made_on,
            "outcome": OUTCOMES[record.state],
        }
        for record in exports.all()
        if record.state in OUTCOMES and (record.receipt == receipt or record.state == "unreachable")
    ]


def _settle(workspace: Workspace, record: ExportRecord, heir: Version | None, receipt: str) -> None:
    exports, was_removed = Exports(workspace.catalog), record.state == "removed"
    target = reached(record)
    if target is None:
        if not was_removed and record.state != "unreachable":
            exports.change(record.export, "unreachable", receipt=receipt)
        return
    # One that is being written is not made again: its exporter, if alive, will look back and take all away.
    is_to_be_written = heir is not None and record.state in ("made", "unreachable")
    content = content_of(workspace, heir) if heir is not None and is_to_be_written else None
    try:
        is_there = exporter_for_erasure(record.format).erase(
            target, content, version=record.version, dataset=record.dataset, receipt=receipt
        )
        if was_removed:
            return  # and now also what an exporter wrote that was at work at the time
        now = dataclasses.replace(record, version=heir.number) if heir is not None and is_there else record
        instead = {} if heir is None or is_there else {"replaced_by": f"{record.dataset}@{heir.number}"}
        write_note(target, now, "complete" if is_there else "withdrawn", receipt=receipt, **instead)
    except KinesphereError:  # it was reached, and could not be changed: it stays on the list as well
        if not was_removed:
            exports.change(record.export, "unreachable", receipt=receipt)
        return
    state: ExportState = "made" if is_there else "removed"
    exports.change(record.export, state, version=now.version, receipt=receipt, held_before=record.version)


def remains_in_exports(
    workspace: Workspace, departed: Departed, unreached: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Where registered exports hold something of those who left, or cannot be read to tell: the place, and what.

    Args:
        unreached: the exports that may have held them and could not be reached when they were erased.
    """
    for record in Exports(workspace.catalog).all():
        target = reached(record)
        version = _version_of(workspace, record)
        is_due = version is not None and version.is_withdrawn and record.state in ("made", "writing")
        if target is None:
            if is_due or (record.state == "unreachable" and record.export in unreached):
                yield (
                    place_of(record),
                    f"export {record.export} cannot be reached; erase again when it can be, or, if it was deleted: "
                    f"kinesphere exports --forget {record.export}",
                )
            continue
        try:
            named = departed.named(exporter_for_erasure(record.format).contributors(target))
        except (KinesphereError, ValueError, KeyError) as error:
            yield place_of(record), f"export {record.export} cannot be read: {error}"
            continue
        if named or is_due:
            yield place_of(record), f"export {record.export} holds {named} episodes of theirs; erase again"


def forget_export(workspace: Workspace, export: str) -> ExportRecord:
    """Strike an export that was deleted by hand off the list; gives what was known of it.

    Args:
        workspace: an open workspace.
        export: its id.

    Returns:
        The record that was deleted.

    Raises:
        NotFound: there is none of this id.
        Conflict: it is still there; no erasure would find it any more.
    """
    for record in Exports(workspace.catalog).all():
        target = reached(record) if record.export == export else None
        if target is not None and target.keys("") != [NOTE] and record.state != "removed":
            raise Conflict(f"export {export} is still there, in {record.location}; delete it first")
    return Exports(workspace.catalog).forget(export)


def place_of(record: ExportRecord) -> str:
    """Where an export is, with the computer that has the folder.

    Args:
        record: an export.

    Returns:
        A URL, or `computer:folder`.
    """
    return record.location if "://" in record.location else f"{record.made_on}:{record.location}"


def _version_of(workspace: Workspace, record: ExportRecord) -> Version | None:
    try:
        return read_manifest(workspace.objects, record.dataset, record.version)
    except CorruptObject:
        return None  # lost from the workspace, not withdrawn


def _heir(objects: Objects, version: Version) -> Version | None:
    """The version that is left of one that was withdrawn."""
    while version.is_withdrawn:
        if version.manifest["replaced_by"] is None:
            return None
        version = read_manifest(objects, version.dataset, int(version.manifest["replaced_by"]))
    return version
