"""The command `demo`: a real clip goes the whole way, by the steps that a user would take and through the same code."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinesphere.errors import Conflict, KinesphereError
from storage.recordings.consent import Agreement
from storage.recordings.recording import RecordingFile, State
from studio.commands.contributors.record_command import record_take
from studio.commands.options import JsonOption
from studio.commands.output import messages, native_logs_aside, print_json, print_table, progress, say

if TYPE_CHECKING:
    from storage.workspace import Workspace
    from studio.pipeline.process import Outcome

WORKSPACE_NAME = "kinesphere-demo"
REVIEWER = "demo-reviewer"
CONTRIBUTOR = "demo-person"
DATASET = "demo"
TASK_NAME = "move-about"
TAKES = 3
"""How often it records before it gives up."""
WINDOW = 64
BATCH_SIZE = 64
_TASK: dict[str, object] = {
    "name": TASK_NAME,
    "title": "Move about in front of the camera",
    "instructions": "Stand where the camera sees all of you, from head to feet, and move as you like.",
    "consent": "I agree that this recording is used to try out kinesphere on this computer.",
    # A whole body at five metres: its hands are a few pixels wide and are not what this task is about. And the clip
    # was made in the street, where people pass by.
    "criteria": {
        "hands_visible_share": {"doubt": 0, "fail": 0},
        "other_people_share": {"doubt": 1, "fail": 1},
    },
    "labels": {"verbs": ["stand", "walk", "run", "jump", "move"]},
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(demo)


def demo(
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="Where to put it.")] = Path("kinesphere-demo"),
    as_json: JsonOption = False,
) -> None:
    """Take a real clip through the whole pipeline to training windows."""
    run(workspace, as_json=as_json)


@dataclass(frozen=True)
class Streamed:
    """What one epoch of the published version gave."""

    windows: int
    seconds: float

    @property
    def windows_per_second(self) -> float:
        """Windows a second, first batch included."""
        return self.windows / self.seconds


def run(folder: Path, *, as_json: bool = False) -> None:
    """Run the whole pipeline in `folder`; run again, it adds another take and publishes the next version.

    Raises:
        Conflict: the folder holds a workspace that is not a demo.
    """
    from storage.workspace import private_files

    started = time.monotonic()
    with private_files(), closing(_DemoWorkspace(folder)) as demo:
        workspace = demo.workspace
        description, outcome = _accepted_take(workspace, quiet=as_json)
        _label_the_middle(workspace, description)

        from annotate.checks.task_criteria import effective_criteria
        from storage.publishing.publish import publish

        version = publish(workspace, DATASET, created_by=CONTRIBUTOR, effective_criteria=effective_criteria)
        location = workspace.dataset_location(DATASET)
        streamed = _stream_one_epoch(location, version.number, quiet=as_json)
        overlay, sheet = _draw(workspace, description.recording, quiet=as_json)
        checks = workspace.catalog.checks(description.recording)

    passed = sum(check.verdict == "pass" for check in checks)
    numbers: dict[str, Any] = {
        "workspace": str(workspace.folder),
        "recording": description.recording,
        "frames": outcome.frames,
        "dropped_frames": description.origin.dropped_frames,
        "frames_with_body": outcome.frames_with_body,
        "hands_found": outcome.hands_found,
        "checks_passed": passed,
        "checks": len(checks),
        "bytes_per_frame": round(outcome.shard_bytes / outcome.frames, 1),
        "dataset": f"{DATASET}@{version.number}",
        "dataset_location": location,
        "episodes": version.manifest["counts"]["episodes"],
        "windows": streamed.windows,
        "windows_per_second": round(streamed.windows_per_second),
        "overlay": str(overlay),
        "contact_sheet": str(sheet),
        "seconds": round(time.monotonic() - started, 1),
    }
    if as_json:
        print_json(numbers)
    else:
        _report(numbers)


class _DemoWorkspace:
    """The demo's workspace with its task and its contributor, made when it is not there yet."""

    def __init__(self, folder: Path) -> None:
        from storage.tasks.task import Task
        from storage.workspace import FILE_NAME, create_workspace, open_workspace

        if (folder / FILE_NAME).exists():
            self.workspace = open_workspace(folder)
            if self.workspace.name != WORKSPACE_NAME:
                self.close()
                raise Conflict(f"{folder} is a workspace of your own; give the demo another folder with --workspace")
        else:
            self.workspace = create_workspace(folder, name=WORKSPACE_NAME)
        from annotate.checks.task_criteria import completed

        self.workspace.catalog.add_task(completed(Task.model_validate(_TASK)))
        self.workspace.catalog.add_contributor(CONTRIBUTOR)

    def close(self) -> None:
        """Give the catalog's connections back."""
        self.workspace.catalog.close()


def _accepted_take(workspace: Workspace, *, quiet: bool) -> tuple[RecordingFile, Outcome]:
    """Record until the gate accepts, as contributors do: a busy computer loses frames, which the gate doubts.

    Raises:
        KinesphereError: it accepted none of a few takes.
    """
    from studio.pipeline.withdrawal import take_back

    for take in range(1, TAKES + 1):
        description, outcome = _record_and_process(workspace, quiet=quiet)
        if _is_accepted(workspace, outcome):
            return description, outcome
        if take < TAKES:
            news = f"Take {take} was {outcome.state}: {outcome.why}. It is erased, and another recorded."
            messages.print(news, markup=False)
            take_back(workspace, CONTRIBUTOR, [description.recording], why="the demo records another take")
    raise KinesphereError(f"the demo's recording was {outcome.state}: {outcome.why}")


def _record_and_process(workspace: Workspace, *, quiet: bool) -> tuple[RecordingFile, Outcome]:
    from capture.drafts.outbox import submit
    from pose.engines.threads_engine import Threads
    from pose.extractors.extractor import DEFAULT, ExtractorOptions
    from pose.extractors.extractor_by_name import open_extractor
    from pose.networks.models import fetch_clip
    from studio.pipeline.process import Outcome, process

    clip = fetch_clip(on_fetch=messages.print)
    open_extractor(DEFAULT, ExtractorOptions(), on_fetch=messages.print)
    description, _ = record_take(
        workspace,
        task=TASK_NAME,
        contributor=CONTRIBUTOR,
        agreement=Agreement("flag"),
        source=f"file:{clip}",
        seconds=None,
        quiet=quiet,
    )
    submit(workspace, description.recording)
    row = workspace.catalog.recording(description.recording)
    with native_logs_aside(), progress("Extracting body and hands, checking", row.frames, quiet=quiet) as show:
        result = process(workspace, [row], engine=Threads(1), on_frames=show)[0]
    if not isinstance(result, Outcome):
        raise KinesphereError(result.error)
    return description, result


def _is_accepted(workspace: Workspace, outcome: Outcome) -> bool:
    """Whether the recording may be published: at once, or, when the demo runs again, after a look at the same take."""
    from storage.catalog import Reviews

    doubts = [check.check for check in workspace.catalog.checks(outcome.recording) if check.verdict != "pass"]
    if doubts == ["duplicate"]:
        messages.print(f"The gate flags it: {outcome.why}. That is right; the demo's reviewer lets it pass.")
        Reviews(workspace.catalog).decide(
            outcome.recording, "accept", reviewer=REVIEWER, feedback="the demo records its one clip again"
        )
    return workspace.catalog.recording(outcome.recording).state is State.ACCEPTED


def _label_the_middle(workspace: Workspace, description: RecordingFile) -> None:
    from annotate.labels.segments import add_segment

    duration = description.video.duration_ns
    add_segment(
        workspace,
        description.recording,
        start_ns=duration // 5,
        end_ns=duration * 4 // 5,
        label="move",
        track="whole body",
        author=CONTRIBUTOR,
    )


def _stream_one_epoch(location: str, number: int, *, quiet: bool) -> Streamed:
    from kinesphere.dataset import open_dataset

    dataset = open_dataset(location, version=number)
    stream = dataset.stream(
        window=WINDOW, batch_size=BATCH_SIZE, keys=["body_world", "wrist_pose", "grip"], shuffle=True, seed=0
    )
    windows = 0
    began = time.perf_counter()
    with progress("Streaming one epoch of windows", stream.windows, quiet=quiet) as show:
        for batch in stream:
            windows += len(batch["episode"])
            show(windows)
    return Streamed(windows, time.perf_counter() - began)


def _draw(workspace: Workspace, recording: str, *, quiet: bool) -> tuple[Path, Path]:
    """Draw the whole trajectory over its video; gives the paths of the film and of the contact sheet."""
    from kinesphere.shards.shard import Shard
    from kinesphere.trajectory import from_stored
    from kinesphere.video.video_keys import video_key
    from pose.drawing.overlay import contact_sheet, draw_overlay
    from storage.erasure.derived_pictures import note_drawings

    place, row = workspace.catalog.trajectory(recording), workspace.catalog.recording(recording)
    video = workspace.objects.local_path(video_key(recording))
    assert place is not None and video is not None, "the demo has just made both, in a local folder"
    shard = Shard(workspace.objects, place.shard)
    first, stop = place.first_frame, place.first_frame + place.length
    arrays = {name: from_stored(spec, shard.read(name, first, stop)) for name, spec in shard.specs.items()}

    overlay, sheet = workspace.folder / "overlay.mp4", workspace.folder / "contact-sheet.png"
    note_drawings(workspace, (overlay, sheet), recording=recording, contributor=row.contributor)
    with progress("Drawing the skeleton over the video", row.frames, quiet=quiet) as show:
        draw_overlay(video, arrays, overlay, on_progress=show)
    contact_sheet(video, arrays, sheet)
    return overlay, sheet


def _report(numbers: dict[str, Any]) -> None:
    name = numbers["dataset"]
    rows = [
        ("frames", f"{numbers['frames']} recorded, {numbers['dropped_frames']} dropped"),
        ("body found", f"in {numbers['frames_with_body']} frames"),
        ("hands found", numbers["hands_found"]),
        ("checks", f"{numbers['checks_passed']} of {numbers['checks']} passed"),
        ("bytes a frame", numbers["bytes_per_frame"]),
        ("published", f"{name}: {numbers['episodes']} episodes"),
        ("streamed", f"{numbers['windows']} windows of {WINDOW} frames, {numbers['windows_per_second']} a second"),
        ("took", f"{numbers['seconds']} s"),
    ]
    say("")
    print_table("From a clip to training windows", ["", ""], rows)
    say(f"\nLook at the skeleton:  {os.path.relpath(numbers['overlay'])}")
    say(f"and the contact sheet: {os.path.relpath(numbers['contact_sheet'])}\n")
    program, folder = _typed("kinesphere"), os.path.relpath(numbers["workspace"])
    say("Three commands to try next:")
    say(f"  {program} status {numbers['recording']} --workspace {folder}")
    say(f"  {program} info {name} --workspace {folder}")
    say(f"  {program} import YOUR-VIDEO.mp4 --task {TASK_NAME} --contributor {CONTRIBUTOR} --yes --workspace {folder}")


def _typed(program: str) -> str:
    """What to type to run a program here: its name where the shell finds it, else the path that ran us."""
    return program if shutil.which(program) else os.path.relpath(sys.argv[0])
