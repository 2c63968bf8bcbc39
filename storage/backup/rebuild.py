"""Rebuilding a catalog that is lost, as far as what lies beside the videos tells; the rest is said to be unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from kinesphere.errors import Conflict, CorruptObject
from kinesphere.shards.shard import shard_key
from storage.backup.catalog_import import refuse_rows
from storage.backup.left_beside import Found, FoundTrajectory, look_beside
from storage.backup.rebuilt_rows import segments_of, tasks_of
from storage.catalog.recording_entries import recording_row
from storage.catalog.state_machine import new_event
from storage.catalog.tables import (
    ContributorTable,
    ErasureTable,
    SegmentTable,
    TaskTable,
    TrajectoryTable,
)
from storage.recordings.recording import RecordingFile, State
from storage.tasks.task import Task
from storage.workspace import Workspace, catalog_url, open_workspace, private_files

WHO = "rebuild"
"""Who the events and segments of a rebuilt catalog are by."""
UNKNOWN = (
    "accounts, invitations, tokens and the audit trail: make accounts anew",
    "what contributors declared about themselves",
    "results of checks, reviews, gold recordings and earlier events",
    "which recordings were withdrawn and not yet erased, flagged, returned or rejected: what is in no version waits "
    "to be processed again, and is checked and reviewed anew",
    "labels that were never published, who made them, their notes and hands, and what annotators had begun",
    "exports: an erasure does not reach them any more; delete them, or export again",
    "takes that were sent to a server from here, and uploads that a server was receiving",
)
"""What nothing beside the videos tells."""


@dataclass(frozen=True)
class RebuildReport:
    """What a rebuilt catalog holds."""

    contributors: int
    states: Mapping[str, int]
    """Recordings by state."""
    trajectories: int
    segments: int
    tasks: tuple[str, ...]
    """`name@version` of tasks whose file was given."""
    placeholders: tuple[str, ...]
    """`name@version` of tasks of which only what recordings and versions say is known."""
    erasures: int
    unreadable: tuple[str, ...]
    """What could not be read, a line each."""
    erased_again: tuple[str, ...]
    """Recordings that were erased and of which something lay here; it was deleted."""
    unknown: tuple[str, ...] = UNKNOWN


def rebuild(
    folder: Path, tasks: Sequence[Task] = (), *, on_step: Callable[[str], None] = lambda step: None
) -> RebuildReport:
    """Write a new catalog for a workspace whose catalog is lost.

    Recordings and contributors come from `recording.json`, trajectories from the shards, labels from the versions,
    erasures from their tombstones. A recording that is in a version is accepted; what is in none waits to be
    processed. All is entered in one transaction.

    Args:
        folder: of the workspace; without `workspace.toml`, make it with `create_workspace` and the same store.
        tasks: as their authors wrote them, where the files are still there.
        on_step: told in a few words what is done next.

    Returns:
        What was found, and what nobody can know.

    Raises:
        NotFound: there is no workspace.
        Conflict: there is a catalog with rows in it.
        CorruptObject: there is a damaged one.
    """
    try:
        refuse_rows(catalog_url(folder))
    except Conflict as error:
        raise Conflict(f"the workspace {folder} has a catalog: {error}") from error
    except CorruptObject as error:
        raise CorruptObject(f"{error}; to rebuild it, move it away first, with the files beside it") from error
    with private_files():
        workspace = open_workspace(folder, create_catalog=True)
    try:
        on_step("recordings, shards and versions")
        found = look_beside(workspace)
        on_step("the new catalog")
        return _write(workspace, found, tasks)
    finally:
        workspace.catalog.close()


def _write(workspace: Workspace, found: Found, tasks: Sequence[Task]) -> RebuildReport:
    descriptions = {**found.descriptions, **found.drafts}
    known = [one for one in found.trajectories if one.record.recording in found.descriptions]
    states = _states(found, {one.record.recording for one in known})
    made = tasks_of(descriptions.values(), found.versions, tasks)
    segments = segments_of(found.versions, known, states)
    with workspace.catalog.writing() as session:
        session.add_all(
            TaskTable(
                name=row.task.name,
                version=row.version,
                content=row.task.model_dump(mode="json"),
                content_sha256=row.task.content_sha256,
                created_at=row.created_at,
            )
            for row in made
        )
        contributors = _add_contributors(session, descriptions.values())
        session.flush()
        _add_recordings(session, descriptions, states)
        _add_trajectories(session, found, known)
        session.add_all(
            SegmentTable(
                segment=row.segment, recording=row.recording, author=WHO, created_at=row.created_at, **vars(row.content)
            )
            for row in segments
        )
        _add_erasures(session, found)
    erased_again = _delete_erased(workspace, found)
    counts = {state.value: list(states.values()).count(state) for state in sorted(set(states.values()))}
    return RebuildReport(
        contributors,
        counts,
        len(known),
        len(segments),
        tuple(f"{row.task.name}@{row.version}" for row in made if row.is_whole),
        tuple(f"{row.task.name}@{row.version}" for row in made if not row.is_whole),
        len(found.tombstones),
        tuple(found.unreadable),
        erased_again,
    )


def _states(found: Found, extracted: set[str]) -> dict[str, State]:
    published = {recording for version in found.versions for recording in version.episodes}
    states = {
        name: State.ACCEPTED if name in published and name in extracted else State.SUBMITTED
        for name in found.descriptions
    }
    return states | dict.fromkeys(found.drafts, State.DRAFT)


def _add_contributors(session: Session, descriptions: Iterable[RecordingFile]) -> int:
    first: dict[str, datetime] = {}
    for description in descriptions:
        at = first.get(description.contributor, description.created_at)
        first[description.contributor] = min(at, description.created_at)
    session.add_all(ContributorTable(contributor=name, created_at=at) for name, at in sorted(first.items()))
    return len(first)


def _add_recordings(session: Session, descriptions: Mapping[str, RecordingFile], states: Mapping[str, State]) -> None:
    rows = {name: recording_row(description, states[name]) for name, description in sorted(descriptions.items())}
    for row in rows.values():
        row.replaces = None  # until the one it replaces has a row, if it gets one
    session.add_all(rows.values())
    session.flush()
    for name, description in descriptions.items():
        if description.replaces in rows:
            rows[name].replaces = description.replaces
        why = "the catalog was rebuilt; what happened before is not known"
        session.add(new_event(name, WHO, None, states[name], why))


def _add_trajectories(session: Session, found: Found, known: Sequence[FoundTrajectory]) -> None:
    """Of several of a recording the one that the newest version uses counts, else the one that was written last.

    Those of one extractor share a row, so the one that counts is entered last.
    """
    used = {
        recording: rows[0]["shard"]
        for version in reversed(found.versions)
        for recording, rows in version.episodes.items()
    }
    latest: dict[str, datetime] = {}
    for one in known:
        latest[one.record.recording] = max(one.written_at, latest.get(one.record.recording, one.written_at))
    for one in sorted(known, key=lambda one: (used.get(one.record.recording) == one.record.shard, one.written_at)):
        record, at = one.record, one.written_at
        if used.get(record.recording) == record.shard and at < latest[record.recording]:
            at = latest[record.recording] + timedelta(microseconds=1)
        session.merge(TrajectoryTable(**vars(record), created_at=at))


def _add_erasures(session: Session, found: Found) -> None:
    for tombstone in found.tombstones:
        session.add(
            ErasureTable(
                receipt=tombstone["receipt"],
                contributor=None,
                who=tombstone["by"],
                begun_at=datetime.fromisoformat(tombstone["begun_at"]),
                done_at=datetime.fromisoformat(tombstone["done_at"]),
                tombstone=tombstone,
            )
        )


def _delete_erased(workspace: Workspace, found: Found) -> tuple[str, ...]:
    """What lies here of recordings that were erased came too late, or was put back from a copy: it goes again."""
    there = set(workspace.objects.folders("recordings"))
    for recording in sorted(found.erased & there):
        workspace.objects.delete_below(f"recordings/{recording}")
    shards = {shard for tombstone in found.tombstones for shard in tombstone["shards"]}
    for shard in shards & {name.removesuffix(".zarr") for name in workspace.objects.folders("shards")}:
        workspace.objects.delete(f"{shard_key(shard)}/zarr.json")
        workspace.objects.delete_below(shard_key(shard))
    return tuple(sorted(found.erased & there))
