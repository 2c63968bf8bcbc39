"""The command `process`: what is waiting is checked and extracted."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from storage.recordings.recording import State
from studio.commands.options import HERE, HandModelOption, JsonOption, PoseModelOption, WorkspaceOption, opened
from studio.commands.output import messages, native_logs_aside, print_json, print_table, progress, say, say_error


class Engine(StrEnum):
    """Where extraction runs."""

    local = "local"
    ray = "ray"


class Filter(StrEnum):
    """What is done to tracks."""

    smooth = "smooth"
    none = "none"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(process)


def process(
    recordings: Annotated[list[str] | None, typer.Argument(help="Which; else all that is submitted.")] = None,
    engine: Annotated[
        Engine, typer.Option(help="Threads of this machine, or the Ray cluster at RAY_ADDRESS.")
    ] = Engine.local,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Recordings at a time.", show_default="cores / 2")
    ] = None,
    tracks: Annotated[Filter, typer.Option("--filter", help="Smooth the tracks, or keep them raw.")] = Filter.smooth,
    again: Annotated[bool, typer.Option("--again", help="Extract accepted and flagged recordings again.")] = False,
    pose_model: PoseModelOption = None,
    hand_model: HandModelOption = None,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Check and extract what is waiting: video becomes trajectories, doubts go to review."""
    from pose.engines import RayCluster, Threads
    from studio.pipeline import process as processing
    from studio.pipeline.extraction import Failure, fetch_models

    with opened(folder) as workspace:
        rows = (processing.processed if again else processing.waiting)(workspace, recordings or ())
        total = sum(row.frames for row in rows)
        if rows and engine is Engine.local:
            fetch_models(pose_model, hand_model, on_fetch=messages.print)
        title = f"Processing {len(rows)} recordings"
        with native_logs_aside(), progress(title, total, quiet=as_json or not rows) as show:
            results = processing.process(
                workspace,
                rows,
                engine=Threads(workers) if engine is Engine.local else RayCluster(),
                pose_model=pose_model,
                hand_model=hand_model,
                track_filter=tracks.value,
                on_frames=show,
            )
    outcomes = [result for result in results if isinstance(result, processing.Outcome)]
    failures = [result for result in results if isinstance(result, Failure)]
    if as_json:
        print_json({"processed": outcomes, "failed": failures})
    elif not results and again:
        say("Nothing is accepted or flagged. Process something first: kinesphere process")
    elif not results:
        say("Nothing is waiting. Submit something first: kinesphere submit --all")
    elif outcomes:
        cells = [(o.recording, o.state, o.frames, o.frames_with_body, o.hands_found) for o in outcomes]
        print_table("Processed", ["recording", "state", "frames", "with body", "hands found"], cells)
        for outcome in outcomes:
            if outcome.state is not State.ACCEPTED:
                say(f"{outcome.recording} is {outcome.state}: {outcome.why}")
    if failures:
        for failure in failures:
            say_error(f"{failure.recording}: {failure.error}")
        raise typer.Exit(1)
