"""Publishing: the accepted recordings of a workspace become the episodes of a dataset's next version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kinesphere.errors import Conflict, CorruptObject, InvalidInput, KinesphereError
from kinesphere.names import checked_name
from kinesphere.objects.store import Objects
from kinesphere.shards.shard import Shard, shard_key
from kinesphere.versions.manifests import Version
from kinesphere.where import where_expression
from storage.catalog import Catalog
from storage.erasure.withdrawn_versions import withdraw_version
from storage.publishing.publish_rules import ConsentFilter, PublishSettings, Tracks
from storage.publishing.table_writer import clustered
from storage.publishing.version_writer import write_version
from storage.recordings.consent import Coverage
from storage.tasks.criteria import Criteria
from storage.workspace import Workspace

_ASKED_ONE_BY_ONE = 2000
"""More shards than these are looked for in one listing: on an object store each question is a request."""
_AT_ONCE = 16


def publish(
    workspace: Workspace,
    dataset: str,
    settings: PublishSettings | None = None,
    *,
    created_by: str = "",
    on_left_out: Callable[[ConsentFilter], None] = lambda consents: None,
    before_writing: Callable[[Sequence[str]], None] | None = None,
    agreement: Callable[[Sequence[str]], Mapping[str, Any] | None] | None = None,
    effective_criteria: Callable[[Criteria], Criteria] = lambda criteria: criteria,
) -> Version:
    """Write the next version of a dataset. No array is copied: a version points into shards.

    Args:
        workspace: its accepted recordings are published.
        dataset: name of the dataset.
        settings: which episodes enter, and what is asked of them; by default all that are consented to.
        created_by: who publishes, for the record.
        on_left_out: told how many accepted recordings may not enter for want of consent, and why.
        before_writing: called with the ids of the recordings that enter; if it raises, nothing is published.
        agreement: called with the same ids; what it gives, plain JSON, is in the manifest as `agreement`: how well
            annotators of these recordings agree. None where nobody can tell. If it raises, nothing is published.
        effective_criteria: gives the criteria of a task with the defaults of those checks that it does not name, for
            the manifest. By default those that the task was stored with.

    Returns:
        The version that was written, or the newest one where nothing has changed since.

    Raises:
        Conflict: no recording is accepted yet, none has such tracks or is consented to, or a limit does not hold.
        CorruptObject: the shard of a recording that would enter is gone.
        InvalidInput: the expression cannot be read, or matches nothing, or the agreement is no JSON.
    """
    checked_name("dataset", dataset)
    settings = (settings or PublishSettings()).with_video_settled()
    again = partial(
        publish,
        workspace,
        dataset,
        settings,
        created_by=created_by,
        on_left_out=on_left_out,
        before_writing=before_writing,
        agreement=agreement,
        effective_criteria=effective_criteria,
    )
    consents = workspace.catalog.consents()
    try:
        table = _episodes(workspace, dataset, settings, consents, on_left_out)
        recordings = table["recording"].unique().to_pylist()
        if before_writing is not None:
            before_writing(recordings)
        version = write_version(
            workspace.objects,
            dataset,
            clustered(table),
            where=settings.where,
            created_by=created_by,
            video=settings.video or "none",
            rules=settings.rules.to_manifest(),
            criteria=_criteria(workspace.catalog, table, effective_criteria),
            tasks=_texts(workspace.catalog, table),
            agreement=None if agreement is None else agreement(recordings),
        )
    except KinesphereError:
        if consents.keys() <= workspace.catalog.consents().keys():
            raise
        return again()  # somebody has left meanwhile, perhaps with what could not be read
    if not version.is_new or not workspace.catalog.departed(recordings):
        return version
    # An erasure that had looked through the versions before this one was there counts on us to take it back.
    try:
        heir = again()
    except KinesphereError:
        withdraw_version(workspace.objects, version, replaced_by=None)
        raise
    withdraw_version(workspace.objects, version, replaced_by=heir.number)
    return heir


def _episodes(
    workspace: Workspace,
    dataset: str,
    settings: PublishSettings,
    coverage: Mapping[str, Coverage],
    on_left_out: Callable[[ConsentFilter], None],
) -> pa.Table:
    """The episodes that enter, of the recordings of which `coverage` says what they are consented to."""
    tracks, rules = settings.tracks, settings.rules
    of_tracks, consents = _TracksFilter(workspace.objects, tracks), ConsentFilter(rules.needs)
    found = workspace.catalog.publishable(of_tracks, with_segments=settings.episodes == "segments")
    if not len(found) and of_tracks.refused:
        other = "none" if tracks == "raw" else "smooth"
        raise Conflict(f"no accepted recording has {tracks} tracks; make them with: process --again --filter {other}")
    if not set(found["recording"].unique().to_pylist()) <= coverage.keys():  # accepted since
        found = found.filter(pc.is_in(found["recording"], pa.array(sorted(coverage), pa.string()))).combine_chunks()
    refused = consents.refused(coverage, found["recording"].unique().to_pylist())
    if refused:
        on_left_out(consents)
        found = found.filter(pc.invert(pc.is_in(found["recording"], pa.array(refused)))).combine_chunks()
    if not len(found) and refused:
        raise Conflict(
            f"no accepted recording is consented to as {dataset} needs ({', '.join(rules.needs)}): {consents.summary}; "
            "ask for less with --needs and --video none, or record with that consent"
        )
    if not len(found):
        raise Conflict("there is no accepted recording to publish; see: kinesphere status")
    table = found
    if settings.where is not None:
        table = found.filter(where_expression(settings.where))
        if table.num_rows == 0:
            raise InvalidInput(
                f'--where "{settings.where}" matches none of the {len(found)} episodes; nothing was published'
            )
    table = rules.applied(dataset, table)
    _check_shards(workspace.objects, table)
    return table


def _check_shards(objects: Objects, episodes: pa.Table) -> None:
    """Make sure that what episodes point at is there.

    Raises:
        CorruptObject: a shard is missing; the message names a recording in it and says how to make it again.
    """
    shards = episodes["shard"].unique().to_pylist()
    if len(shards) > _ASKED_ONE_BY_ONE:
        present = set(objects.folders("shards"))
        missing = {shard for shard in shards if f"{shard}.zarr" not in present}
    else:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            there = threads.map(lambda shard: objects.exists(f"{shard_key(shard)}/zarr.json"), shards)
            missing = {shard for shard, is_there in zip(shards, there, strict=True) if not is_there}
    if missing:
        lost = episodes.filter(pc.is_in(episodes["shard"], pa.array(sorted(missing))))
        recordings = lost["recording"].unique().to_pylist()
        names = ", ".join(recordings[:5]) + (f" and {len(recordings) - 5} more" if len(recordings) > 5 else "")
        raise CorruptObject(
            f"the shard of recording {names} is missing in {objects.url}, so nothing was published; restore it from a "
            f"copy, or make it again: kinesphere process --again {recordings[0]} (all of them: kinesphere doctor)"
        )


class _TracksFilter:
    """Says of an extractor whether its tracks are chosen, by its settings in one of its shards."""

    def __init__(self, objects: Objects, tracks: Tracks | None) -> None:
        self._objects = objects
        self._tracks = tracks
        self.refused = 0

    def __call__(self, extractor: str, shard: str) -> bool:
        if self._tracks is None:
            return True
        settings = Shard(self._objects, shard).attributes["extractor"]["settings"]
        is_chosen = ("smooth" if settings.get("filter") == "smooth" else "raw") == self._tracks
        self.refused += not is_chosen
        return is_chosen


def _criteria(
    catalog: Catalog, episodes: pa.Table, effective_criteria: Callable[[Criteria], Criteria]
) -> dict[str, Any]:
    """The criteria of each version of a task in the table: their hash, and the thresholds themselves."""
    found = {}
    for row in _tasks(episodes):
        criteria = catalog.task(row["task"], row["task_version"]).task.criteria
        thresholds = effective_criteria(criteria).model_dump(mode="json")
        digest = hashlib.sha256(json.dumps(thresholds, sort_keys=True).encode()).hexdigest()
        found[f"{row['task']}@{row['task_version']}"] = {"sha256": digest, "thresholds": thresholds}
    return found


def _texts(catalog: Catalog, episodes: pa.Table) -> dict[str, Any]:
    """What each version of a task in the table tells people to do, for policies that take language."""
    found = {}
    for row in _tasks(episodes):
        task = catalog.task(row["task"], row["task_version"]).task
        found[f"{row['task']}@{row['task_version']}"] = {"title": task.title, "instructions": task.instructions}
    return found


def _tasks(episodes: pa.Table) -> list[dict[str, Any]]:
    """Each version of a task in the table, in order."""
    tasks = episodes.group_by(["task", "task_version"]).aggregate([])
    return list(tasks.sort_by([("task", "ascending"), ("task_version", "ascending")]).to_pylist())
