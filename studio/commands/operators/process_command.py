"""The command `process`: what is waiting is checked and extracted."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from storage.recordings.recording import State
from studio.commands.options import (
    HERE,
    HandModelOption,
    JsonOption,
    LogOption,
    PersonModelOption,
    PoseModelOption,
    WorkspaceOption,
    opened,
)
from studio.commands.output import messages, native_logs_aside, print_json, print_table, progress, say, say_error
from studio.event_log import LogForm, begin_log, writes_json

if TYPE_CHECKING:
    from studio.pipeline.extraction import Failure


class Filter(StrEnum):
    """What is done to tracks."""

    smooth = "smooth"
    none = "none"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(process)


def _known_engine(name: str) -> str:
    from pose.engines.engine_by_name import ENGINES

    return _one_of(ENGINES.names(), name)


def _known_extractor(name: str) -> str:
    from pose.extractors.extractor_by_name import EXTRACTORS

    return _one_of(EXTRACTORS.names(), name)


def _one_of(names: Sequence[str], name: str) -> str:
    """The name, unless it is wrong usage: the choices that the installed packages give are known only now."""
    if name not in names:
        raise typer.BadParameter(f"'{name}' is not one of {', '.join(names)}")
    return name


def process(
    recordings: Annotated[list[str] | None, typer.Argument(help="Which; else all that is submitted.")] = None,
    engine: Annotated[
        str,
        typer.Option(
            callback=_known_engine,
            help="local: threads of this machine; ray: the Ray cluster at RAY_ADDRESS; or an installed one.",
        ),
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Recordings at a time.", show_default="cores / 2")
    ] = None,
    extractor: Annotated[
        str, typer.Option(callback=_known_extractor, help="What finds the body: mediapipe, rtmw, or an installed one.")
    ] = "mediapipe",
    tracks: Annotated[Filter, typer.Option("--filter", help="Smooth the tracks, or keep them raw.")] = Filter.smooth,
    again: Annotated[bool, typer.Option("--again", help="Extract accepted and flagged recordings again.")] = False,
    pose_model: PoseModelOption = None,
    hand_model: HandModelOption = None,
    person_model: PersonModelOption = None,
    memory_limit: Annotated[
        float,
        typer.Option(
            min=0.5, envvar="KINESPHERE_MEMORY_LIMIT", help="GB that the work on one recording may need.", metavar="GB"
        ),
    ] = 4,
    time_limit: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            envvar="KINESPHERE_TIME_LIMIT",
            help="Minutes that the work on one recording may take.",
            metavar="MINUTES",
            show_default="10, or a second a frame",
        ),
    ] = None,
    log: LogOption = LogForm.text,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Check and extract what is waiting: video becomes trajectories, doubts go to review.

    A recording that cannot be processed is tried three times and then flagged for a person; the others go on.
    """
    from pose.engines.engine_by_name import make_engine
    from pose.engines.isolation import Limits
    from pose.extractors.extractor import ExtractorOptions
    from pose.extractors.extractor_by_name import open_extractor
    from studio.pipeline import process as processing
    from studio.pipeline.extraction import Failure
    from studio.pipeline.isolated_extraction import load_ahead

    limits = Limits(round(memory_limit * (1 << 30)), seconds=None if time_limit is None else 60 * time_limit)
    if log is LogForm.json:  # people get all of it by other words
        begin_log(log)
    with opened(folder) as workspace:
        rows = (processing.processed if again else processing.waiting)(workspace, recordings or ())
        total = sum(row.frames for row in rows)
        options = ExtractorOptions(pose_model, hand_model, tracks.value, person_model)
        runner = make_engine(engine, workers)
        title = f"Processing {len(rows)} recordings"
        with native_logs_aside(), progress(title, total, quiet=as_json or writes_json() or not rows) as show:
            if rows and runner.runs_here:
                load_ahead()
                open_extractor(extractor, options, on_fetch=messages.print)
            results = processing.process(
                workspace,
                rows,
                engine=runner,
                extractor=extractor,
                options=options,
                limits=limits,
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
        for failure in () if writes_json() else failures:  # the log has told of them
            say_error(f"{failure.recording}: {failure.error}{_what_follows(failure)}")
        raise typer.Exit(1)


def _what_follows(failure: Failure) -> str:
    from storage.catalog import MOST_TRIES

    if failure.state is State.FLAGGED:
        return f" (tried {failure.tries} times; a person decides, or tries again with --again: kinesphere review)"
    if failure.tries is not None:
        return f" (try {failure.tries} of {MOST_TRIES})"
    return ""
