"""What people do in a life, each as one process does it: mostly the real commands."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from annotate.duplicates.video_fingerprint import VideoFingerprint
from benchmarks.faults.forked_steps import Tell, Work
from benchmarks.faults.life_plan import CONTRIBUTORS
from benchmarks.faults.places import Place
from capture.drafts.outbox import adopt_drafts, take
from capture.drafts.unfinished import recover
from capture.recorder.recorder import record
from capture.sources.pattern_source import PatternSource
from kinesphere.dataset import open_dataset
from kinesphere.errors import KinesphereError, StorageFailed
from kinesphere.objects.store import open_objects
from kinesphere.trajectory import Trajectory
from kinesphere.versions.manifests import list_datasets, list_versions, read_manifest
from storage.catalog import CheckRecord, Reviews
from storage.footage.video_reader import open_video
from storage.inspection.workspace_inspection import inspect
from storage.recordings.consent import Agreement
from storage.recordings.recording import State
from storage.shards.shard_writer import write_shard
from storage.tasks.task import Task
from storage.workspace import Workspace, create_workspace, open_workspace, private_files
from studio.app import main
from studio.pipeline.extraction import Extracted, Failure, Job, verified_description
from studio.pipeline.process import Outcome, process, waiting
from tests.support.made_up_extraction import made_up_extraction

TOKEN = "a-token-for-the-bench"
DATASET = "kitchen"
TASK = Task(name="move", title="Move", instructions="Move about.", consent="I agree to the bench.")
_FRAMES = range(6, 13)


@contextmanager
def opened(folder: Path) -> Iterator[Workspace]:
    """Open a workspace as commands do."""
    with private_files():
        workspace = open_workspace(folder)
        try:
            yield workspace
        finally:
            workspace.catalog.close()


def set_up(place: Place, _tell: Tell) -> None:
    """Make both workspaces, with the task and the contributors."""
    for workspace in (
        create_workspace(place.near),
        create_workspace(place.far, catalog=place.catalog, store=place.store),
    ):
        workspace.catalog.add_task(TASK)
        for contributor in CONTRIBUTORS:
            workspace.catalog.add_contributor(contributor)
        workspace.catalog.close()


def record_take(folder: Path, contributor: str, seed: int, tell: Tell) -> None:
    """Record a take with the real recorder, after looking for what was cut short, as `record` does."""
    with explained(), opened(folder) as workspace:
        recover(workspace)
        adopt_drafts(workspace)
        frames = random.Random(seed).choice(_FRAMES)
        made = take(
            workspace,
            kind="camera",
            task=TASK.name,
            contributor=contributor,
            agreement=Agreement("flag"),
            capture=lambda video: record(PatternSource(96, 96, 30, frames_in_total=frames), video).origin(),
        )
        tell("recorded", folder.name, made.recording, contributor, made.video.sha256)


def run_command(*words: str) -> tuple[int, Any]:
    """Run `kinesphere WORDS --json` in this process.

    Returns:
        Its exit code, and what it printed.
    """
    sys.argv = ["kinesphere", *words, "--json"]
    os.environ["KINESPHERE_TOKEN"] = TOKEN
    shown, code = io.StringIO(), 0
    try:
        with redirect_stdout(shown):
            main()
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    return code, json.loads(shown.getvalue() or "null")


def command(*words: str) -> Any:
    """As `run_command`, and end as it ends where it fails; gives what it printed."""
    code, printed = run_command(*words)
    if code:
        print(printed)
        raise SystemExit(code)
    return printed


def submit(place: Place, tell: Tell) -> None:
    """Hand in what was recorded on the server's own computer."""
    for recording in command("submit", "--all", "-w", str(place.far))["submitted"]:
        tell("submitted", recording)


def send(place: Place, url: str, tell: Tell) -> None:
    """Send what was recorded on the contributor's computer to the server."""
    for recording in command("submit", "--all", "--to", url, "-w", str(place.near))["submitted"]:
        tell("submitted", recording)


def process_waiting(place: Place, tell: Tell) -> None:
    """Process what waits, with trajectories that are made up."""
    with explained(), opened(place.far) as workspace:
        results = process(workspace, waiting(workspace), engine=MadeUp())  # type: ignore[arg-type]
        for result in results:
            if isinstance(result, Outcome):
                tell("processed", result.recording)
            else:
                tell("failed", result.recording, result.error)
                print(f"error: {result.recording}: {result.error}")


def review(place: Place, seed: int, tell: Tell) -> None:
    """Decide about what was flagged."""
    with explained(), opened(place.far) as workspace:
        for row in workspace.catalog.recordings(State.FLAGGED):
            decision = random.Random(f"{seed} {row.recording}").choice(("accept", "accept", "return", "reject"))
            Reviews(workspace.catalog).decide(row.recording, decision, reviewer="rosa", feedback="as it is")  # type: ignore[arg-type]
            tell("decided", row.recording, decision)


def publish(place: Place, tell: Tell) -> None:
    """Publish the next version."""
    tell("published", command("publish", DATASET, "-w", str(place.far))["manifest"]["number"])


def export(place: Place, seed: int, tell: Tell) -> None:
    """Copy the newest version somewhere else."""
    target = place.folder / f"export-{seed % 3}"
    command("export", DATASET, str(target), "--format", "kinesphere", "-w", str(place.far))
    tell("exported", target)


def withdraw_one(folder: Path, recording: str, tell: Tell) -> None:
    """Take a recording back, of whose contributor it is asked for now."""
    tell("withdrawing", folder.name, recording)
    command("withdraw", recording, "--yes", "-w", str(folder))
    tell("withdrawn", folder.name, recording)


def withdraw(place: Place, seed: int, is_sent: bool, tell: Tell) -> None:
    """Take one recording back: one that was sent, or else one that is at either end."""
    drawn = random.Random(seed)
    folder = place.near if is_sent or drawn.random() < 0.3 else place.far
    with explained(), opened(folder) as workspace:
        rows = workspace.catalog.recordings()
    chosen = [
        row.recording
        for row in rows
        if row.state not in (State.WITHDRAWN, State.ERASED) and (row.sent_to is not None) == is_sent
    ]
    if chosen:
        withdraw_one(folder, drawn.choice(chosen), tell)


def erase(place: Place, contributor: str, tell: Tell) -> None:
    """Erase a contributor at the server."""
    command("erase", contributor, "--yes", "-w", str(place.far))
    tell("erased", contributor)


def doctor(place: Place, tell: Tell) -> None:
    """Look at what there is, as `doctor` does; in the middle of a life something unfinished may be there."""
    with explained(), opened(place.far) as workspace:
        for problem in inspect(workspace).problems:
            print(f"{problem.what}: {problem.words}")


def read(place: Place, tell: Tell) -> None:
    """Read the newest version as a robotics team does, every number of it."""
    with explained():
        check_numbers(place)


def check_numbers(place: Place) -> int:
    """Hold every episode of the newest version to the trajectory that was made up for its recording.

    Returns:
        How many there are.
    """
    objects = open_objects(place.store if "://" in place.store else place.far)
    numbers = list_versions(objects, DATASET) if DATASET in list_datasets(objects) else []
    if not numbers:
        return 0
    if read_manifest(objects, DATASET, numbers[-1]).is_withdrawn:
        return 0
    dataset = open_dataset(f"{objects.url}/datasets/{DATASET}")
    for number, row in enumerate(dataset.episodes.to_pylist()):
        expected = made_up(row["recording"], row["contributor"], row["length"])
        found = dataset.episode(number)
        for name in ("timestamp", "wrist_pose", "valid"):
            assert np.array_equal(found[name], expected.arrays[name], equal_nan=name != "valid"), (
                f"array {name} of {row['recording']} has other numbers than were extracted"
            )
    return int(dataset.episodes.num_rows)


@contextmanager
def explained() -> Iterator[None]:
    """End as the command does where an error of ours explains itself."""
    try:
        yield
    except KinesphereError as error:
        print(f"error: {error}")
        raise SystemExit(1) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"error: {error.filename or 'the disk'}: {error.strerror}")
        raise SystemExit(1) from error


def made_up(recording: str, contributor: str, frames: int) -> Trajectory:
    """The trajectory that this bench extracts from a recording; always the same."""
    from tests.support.generated_trajectories import make_trajectory

    return make_trajectory(frames, seed=zlib.crc32(recording.encode()), recording=recording, contributor=contributor)


class MadeUp:
    """An engine that verifies each recording's video and makes a trajectory up: networks would take minutes."""

    def run(
        self, work: Callable[..., Any], jobs: Iterable[Job], on_item: Callable[[], None]
    ) -> Iterator[Extracted | Failure]:
        for job in jobs:
            try:
                yield _extracted(job)
            except KinesphereError as error:
                yield Failure(job.recording.recording, str(error), counts=not isinstance(error, StorageFailed))


def _extracted(job: Job) -> Extracted:
    row, objects = job.recording, open_objects(job.objects)
    verified_description(objects, row)
    key = f"recordings/{row.recording}/video.mp4"
    with objects.open(key) as content, open_video(content, key) as video:
        frames = sum(1 for _ in video.frames())
    made = made_up(row.recording, row.contributor, frames)
    shard = write_shard(objects, [made])
    drawn = np.random.default_rng(zlib.crc32(row.recording.encode()))
    look = VideoFingerprint(
        np.zeros(1, np.int64), drawn.integers(0, 255, (1, 32), np.uint8), drawn.integers(0, 255, (1, 32), np.uint8)
    )
    is_doubtful = drawn.random() < 0.25
    check = CheckRecord("brightness", 20 if is_doubtful else 90, 40, 10, "doubt" if is_doubtful else "pass", "so")
    return made_up_extraction(row.recording, made, shard, look, check)


def serve(place: Place, port: int, tell: Tell) -> None:
    """Be the server. Videos are looked into here and not in a process of their own, which would take half a second."""
    from studio.web.uploads import submissions

    def probe(video: Path) -> Any:
        with open_video(video, name="the video") as reader:
            return reader.info

    setattr(submissions, "probe", probe)  # noqa: B010  it is not exported
    command("serve", "--host", place.host, "--port", str(port), "--log", "json", "-w", str(place.far))


def one_after_the_other(works: Sequence[Work], tell: Tell) -> None:
    """Do several things in one process; the first that fails ends it."""
    for work in works:
        work(tell)


def catch_up(folder: Path, tell: Tell) -> None:
    """Look at what there is, which makes whole what was cut short."""
    command("status", "-w", str(folder))


def erase_withdrawn(place: Place, tell: Tell) -> None:
    """Erase what was taken back and is there still."""
    command("erase", "--withdrawn", "--yes", "-w", str(place.far))
