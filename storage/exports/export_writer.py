"""Makes an export: entered in the catalog before anything is written, looked back at before it counts."""

from __future__ import annotations

import dataclasses
import secrets
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from kinesphere.dataset import Dataset
from kinesphere.errors import Conflict, CorruptObject, InvalidInput, NotFound, StorageFailed
from kinesphere.objects.store import Objects
from kinesphere.streaming.stream_settings import checked_keys
from kinesphere.streaming.window_shape import checked_rate
from kinesphere.trajectory import BASIC_ARRAYS, ArraySpec
from kinesphere.versions.manifests import Version, read_episodes, read_manifest, read_version, refuse_withdrawn
from kinesphere.video.video_keys import VIDEO
from storage.catalog import ExportRecord, Exports
from storage.exports.export_content import Content, OnProgress
from storage.exports.export_target import begun_there, clear, open_target, write_note
from storage.exports.exporters import exporter_named
from storage.workspace import Workspace


def export_version(
    workspace: Workspace,
    dataset: str,
    number: int | None,
    location: str | Path,
    *,
    format_name: str,
    rate: float | None = None,
    keys: Sequence[str] | None = None,
    made_by: str = "",
    on_progress: OnProgress = lambda done, total: None,
) -> ExportRecord:
    """Write a version of a dataset to an empty folder, or prefix of an object store, and enter it in the catalog.

    From then on an erasure finds it. Cut off, it can be repeated and is completed; until then its note says
    `incomplete`, and what makes readers of its format find it is not there. Memory holds a few thousand frames, with
    `lerobot` an episode.

    Args:
        workspace: an open workspace.
        dataset: its name.
        number: of the version; the newest by default.
        location: a folder, or a URL of a prefix.
        format_name: a name of `EXPORTERS`.
        rate: frames per second to resample to, by true times; see `Dataset.stream`.
        keys: arrays to export; by default all that the first episode has.
        made_by: who exports, for the record.
        on_progress: told how much is done, and of how much.

    Returns:
        The export, as the catalog has it now.

    Raises:
        NotFound: there is no such dataset, version or format.
        InvalidInput: the format cannot hold what is asked for.
        Conflict: the place holds something else, or somebody's consent does not cover the version any more.
        Withdrawn: the version was withdrawn, before or meanwhile; nothing is left of the export.
    """
    chosen = exporter_named(format_name)
    version = read_version(workspace.objects, dataset, number)
    content = content_of(workspace, version, checked_rate(rate), _exported_arrays(workspace, version, keys))
    chosen.check(content)
    _refuse_ended_consent(content)
    target = open_target(location, workspace.objects)
    options = {"rate": content.rate, "keys": list(content.keys)}
    asked = {"dataset": dataset, "version": version.number, "format": format_name, "options": options}
    record = ExportRecord(
        export=begun_there(target, asked) or secrets.token_hex(6),
        dataset=dataset,
        version=version.number,
        format=format_name,
        location=target.url,
        made_on=socket.gethostname(),
        made_by=made_by,
        made_at=datetime.now(UTC),
        state="writing",
    )
    exports = Exports(workspace.catalog)
    write_note(target, record, "incomplete", options=options)  # first: what is entered can be recognised
    exports.begin(record)
    try:
        chosen.write(content, target, on_progress)
    except (CorruptObject, StorageFailed):  # perhaps because an erasure took it away
        _look_back(workspace, version, target, record)
        raise
    with workspace.catalog.lock("erasure"):
        _look_back(workspace, version, target, record)
        exports.change(record.export, "made")
        write_note(target, record, "complete", options=options)
    return dataclasses.replace(record, state="made")


def content_of(
    workspace: Workspace, version: Version, rate: float | None = None, arrays: Mapping[str, ArraySpec] = BASIC_ARRAYS
) -> Content:
    """A version, with what the catalog knows of its recordings and tasks."""
    catalog = workspace.catalog
    pairs = read_episodes(workspace.objects, version).group_by(["task", "task_version"]).aggregate([]).to_pylist()
    titles = {}
    for pair in pairs:
        try:
            titles[pair["task"], pair["task_version"]] = catalog.task(pair["task"], pair["task_version"]).task.title
        except NotFound:
            continue  # a version from elsewhere; its episodes name their task
    return Content(workspace.objects, version, rate, arrays, catalog.consents(), titles)


def _exported_arrays(workspace: Workspace, version: Version, keys: Sequence[str] | None) -> dict[str, ArraySpec]:
    there = Dataset(workspace.objects, version).arrays
    names = tuple(there) if keys is None else checked_keys(keys, there)
    if VIDEO in names:
        raise InvalidInput(f"keys name the arrays to export; '{VIDEO}' is none")
    return {name: there[name] for name in ("timestamp", *names)}


def _refuse_ended_consent(content: Content) -> None:
    needs = content.version.manifest.get("needs", ())
    recordings = read_episodes(content.objects, content.version)["recording"].unique().to_pylist()
    now, ended = datetime.now(UTC), []
    for recording in recordings:
        if recording in content.consents and content.consents[recording].lack(needs, now) is not None:
            ended.append(recording)
    if ended:
        raise Conflict(
            f"consent to {len(ended)} of the recordings in {content.name} has ended, {ended[0]} among them; publish "
            "again, which leaves them out, and export that version"
        )


def _look_back(workspace: Workspace, version: Version, target: Objects, record: ExportRecord) -> None:
    """Take everything back if the version was withdrawn since it was opened.

    Raises:
        Withdrawn: it was.
    """
    now = read_manifest(workspace.objects, version.dataset, version.number)
    if not now.is_withdrawn:
        return
    clear(target)
    write_note(target, record, "withdrawn")
    Exports(workspace.catalog).change(record.export, "removed")
    refuse_withdrawn(workspace.objects, now)
