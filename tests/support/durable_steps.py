"""What a recording goes through, step by step, on one disk, and what must hold of the disk after a power cut.

`tests.support.cut_life` does all of it on a disk that can say what a power cut would leave of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from annotate.duplicates.video_fingerprint import VideoFingerprint
from capture.drafts.outbox import adopt_drafts, read_draft, submit, take
from capture.drafts.unfinished import recover
from capture.drafts.upload import send, server_at
from capture.recorder.recorder import record
from capture.sources.pattern_source import PatternSource
from kinesphere.errors import CorruptObject
from kinesphere.objects.store import Objects, file_sha256, open_objects
from kinesphere.shards.shard import Shard, shard_key
from kinesphere.versions.manifests import list_datasets, list_versions, read_episodes, read_manifest
from kinesphere.video.video_keys import video_key
from storage.catalog import CheckRecord, Exports, RecordingRecord, Reviews
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.exports.export_target import NOTE
from storage.exports.export_writer import export_version
from storage.publishing.publish import publish
from storage.recordings.consent import Agreement
from storage.recordings.recording import RecordingFile, State, description_key
from storage.shards.shard_writer import write_shard
from storage.workspace import Workspace, create_workspace, open_workspace
from studio.pipeline.extraction import Extracted, Failure, Job
from studio.pipeline.process import process, waiting
from tests.support.generated_trajectories import make_trajectory
from tests.support.made_up_extraction import made_up_extraction
from tests.support.studio_server import TOKEN, running_studio
from tests.support.submitted_takes import TASK

STEPS = ("init", "record", "upload", "submit", "process", "publish", "export", "erase")
"""In this order. There are two takes: one is sent to a server on the same disk, the other is submitted where it is."""

_CONTRIBUTOR = "c001"


def do_step(disk: Path, step: str) -> None:
    """Do one of the `STEPS`, or do it again after it was cut off."""
    _STEPS[step](disk)


def check_all(disk: Path, done: Sequence[str]) -> None:
    """Everything that was confirmed is whole, and nothing that can be seen is half.

    Args:
        disk: where it is mounted.
        done: the steps that have ended.
    """
    for name in ("sender", "server"):
        if (disk / name / "workspace.toml").exists():
            with _opened(disk / name) as workspace:
                _check_objects(workspace.objects, workspace.objects)
                _check_catalog(workspace)
        else:
            assert "init" not in done, f"workspace {name} was confirmed and is gone"
    if (disk / "export" / NOTE).exists() and _export_state(disk) == "complete":
        _check_objects(open_objects(disk / "export"), open_objects(disk / "server"))
    for step in done:
        _CONFIRMED[step](disk)


def _init(disk: Path) -> None:
    for name in ("sender", "server"):
        if not (disk / name / "workspace.toml").exists():
            create_workspace(disk / name).catalog.close()
        with _opened(disk / name) as workspace:
            workspace.catalog.add_task(TASK)
            if _CONTRIBUTOR not in workspace.catalog.contributors():
                workspace.catalog.add_contributor(_CONTRIBUTOR)


def _record(disk: Path) -> None:
    """Record a take with the real recorder, on each of the two computers."""
    for name in ("sender", "server"):
        with _opened(disk / name) as workspace:
            recover(workspace)
            adopt_drafts(workspace)
            if not workspace.catalog.recordings():
                take(
                    workspace,
                    kind="camera",
                    task="move",
                    contributor=_CONTRIBUTOR,
                    agreement=Agreement("flag"),
                    capture=lambda video: record(PatternSource(160, 120, 30, frames_in_total=10), video).origin(),
                )


def _upload(disk: Path) -> None:
    with _opened(disk / "sender") as sender, _opened(disk / "server") as server, running_studio(server) as studio:
        (draft,) = sender.catalog.recordings()
        if draft.state is State.DRAFT:
            send(sender, draft.recording, server_at(studio.url, TOKEN))


def _submit(disk: Path) -> None:
    with _opened(disk / "server") as workspace:
        for draft in workspace.catalog.recordings(State.DRAFT):
            submit(workspace, draft.recording)


class _Generated:
    """An engine that makes trajectories up, so that no network has to run."""

    def run(
        self, work: Callable[..., Any], jobs: Iterable[Job], on_item: Callable[[], None]
    ) -> Iterator[Extracted | Failure]:
        for seed, job in enumerate(jobs):
            row = job.recording
            frames = row.frames
            made = make_trajectory(frames, seed=seed, recording=row.recording, contributor=row.contributor)
            shard = write_shard(open_objects(job.objects), [made])
            hashes = np.full((1, 32), seed, np.uint8)
            look = VideoFingerprint(np.zeros(1, np.int64), hashes, hashes)
            check = CheckRecord("duration_seconds", 1, 1, 0, "pass", "long enough")
            yield made_up_extraction(row.recording, made, shard, look, check)


def _process(disk: Path) -> None:
    with _opened(disk / "server") as workspace:
        process(workspace, waiting(workspace), engine=_Generated())  # type: ignore[arg-type]
        for row in workspace.catalog.recordings(State.FLAGGED, State.REJECTED):
            Reviews(workspace.catalog).decide(row.recording, "accept", reviewer="r1", feedback="they look alike")


def _publish(disk: Path) -> None:
    with _opened(disk / "server") as workspace:
        publish(workspace, "kitchen")


def _export(disk: Path) -> None:
    with _opened(disk / "server") as workspace:
        if not (disk / "export" / NOTE).exists() or _export_state(disk) != "complete":
            export_version(workspace, "kitchen", None, disk / "export", format_name="kinesphere")


def _export_state(disk: Path) -> str:
    return str(json.loads((disk / "export" / NOTE).read_bytes())["state"])


def _erase(disk: Path) -> None:
    with _opened(disk / "server") as workspace:
        erase(workspace, _CONTRIBUTOR, who="olivia")


_STEPS: dict[str, Callable[[Path], None]] = {
    "init": _init,
    "record": _record,
    "upload": _upload,
    "submit": _submit,
    "process": _process,
    "publish": _publish,
    "export": _export,
    "erase": _erase,
}


def _check_objects(objects: Objects, described: Objects) -> None:
    """Nothing half is visible: what can be found without the catalog. `described` has what describes the videos."""
    for name in objects.folders("recordings"):
        if objects.exists(video_key(name)) and (objects is described or described.exists(description_key(name))):
            said = RecordingFile.from_bytes(described.get(description_key(name)), name)
            assert _sha256(objects.get(video_key(name))) == said.video.sha256, f"video {name} is half"
    for name in objects.folders("shards"):
        if objects.exists(f"shards/{name}/zarr.json"):
            _check_shard(objects, name.removesuffix(".zarr"))
    for dataset in list_datasets(objects):
        for number in list_versions(objects, dataset):
            version = read_manifest(objects, dataset, number)
            if not version.is_withdrawn:
                for shard in read_episodes(objects, version)["shard"].unique().to_pylist():
                    _check_shard(objects, shard)


def _check_shard(objects: Objects, shard: str) -> None:
    for name, said in Shard(objects, shard).attributes["objects"].items():
        assert _sha256(objects.get(f"{shard_key(shard)}/{name}")) == said["sha256"], f"{name} of shard {shard} is half"


def _check_catalog(workspace: Workspace) -> None:
    """What a row names is there, whole."""
    for row in workspace.catalog.recordings():
        folder = workspace.drafts / row.recording
        if row.state is State.DRAFT and folder.exists():  # else it is being taken in by a server
            assert file_sha256(folder / "video.mp4") == row.video_sha256, "a draft's video is half"
            assert read_draft(folder).video.sha256 == row.video_sha256
        elif row.state not in (State.WITHDRAWN, State.ERASED) and row.sent_to is None:
            _check_submitted(workspace, row)


def _check_submitted(workspace: Workspace, row: RecordingRecord) -> None:
    found = workspace.objects.get(video_key(row.recording))
    assert _sha256(found) == row.video_sha256, f"{len(found)} bytes are left of {row.state} {row.recording}"
    if row.state is State.ACCEPTED:
        shards = [path.name.removesuffix(".zarr") for path in Path(workspace.folder / "shards").iterdir()]
        of_row = [shard for shard in shards if _is_of(workspace.objects, shard, row.recording)]
        assert of_row, f"the shard of accepted {row.recording} is gone"


def _is_of(objects: Objects, shard: str, recording: str) -> bool:
    try:
        spans = Shard(objects, shard).attributes["trajectories"]
    except CorruptObject:
        return False
    return any(span["recording"] == recording for span in spans)


def _confirmed_init(disk: Path) -> None:
    for name in ("sender", "server"):
        with _opened(disk / name) as workspace:
            assert workspace.catalog.task("move").version == 1


def _confirmed_record(disk: Path) -> None:
    for name in ("sender", "server"):
        with _opened(disk / name) as workspace:
            assert workspace.catalog.recordings() or Exports(workspace.catalog).all(), "a take is gone"


def _confirmed_upload(disk: Path) -> None:
    with _opened(disk / "sender") as sender, _opened(disk / "server") as server:
        (sent,) = sender.catalog.recordings()
        assert sent.state is State.SUBMITTED
        row = server.catalog.recording(sent.recording)
        assert row.state is not State.DRAFT


def _confirmed_submit(disk: Path) -> None:
    with _opened(disk / "server") as server:
        assert not server.catalog.recordings(State.DRAFT)


def _confirmed_process(disk: Path) -> None:
    with _opened(disk / "server") as server:
        assert not server.catalog.recordings(State.SUBMITTED)


def _confirmed_publish(disk: Path) -> None:
    with _opened(disk / "server") as server:
        assert list_versions(server.objects, "kitchen")


def _confirmed_export(disk: Path) -> None:
    assert _export_state(disk) in ("complete", "withdrawn")


def _confirmed_erase(disk: Path) -> None:
    with _opened(disk / "server") as server:
        assert find_traces(server, _CONTRIBUTOR) == []


_CONFIRMED: dict[str, Callable[[Path], None]] = {
    "init": _confirmed_init,
    "record": _confirmed_record,
    "upload": _confirmed_upload,
    "submit": _confirmed_submit,
    "process": _confirmed_process,
    "publish": _confirmed_publish,
    "export": _confirmed_export,
    "erase": _confirmed_erase,
}


@contextmanager
def _opened(folder: Path) -> Iterator[Workspace]:
    workspace = open_workspace(folder)
    try:
        yield workspace
    finally:
        workspace.catalog.close()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
