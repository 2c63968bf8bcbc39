"""The command `blur`: heads are hidden in a recording's video."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened
from studio.commands.output import native_logs_aside, print_json, progress, say


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(blur)


def blur(
    recording: Annotated[str, typer.Argument(help="A processed recording.")],
    output: Annotated[Path | None, typer.Option(help="Write it here.", show_default="beside its video")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Hide the whole frame wherever the head was lost.")] = False,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Hide heads in a recording's video: the contributor's, and bystanders' where they are found."""
    from studio.pipeline.blurring import BYSTANDERS, blur_recording

    with opened(folder) as workspace, native_logs_aside():
        made = blur_recording(
            workspace, recording, output=output, strict=strict, progress=partial(progress, quiet=as_json)
        )
    if as_json:
        print_json(made)
        return
    report = made["report"]
    if made["is_new"]:
        say(f"Hid the head in {report['frames']} frames: {made['location']}")
    else:
        say(f"It is hidden already, by the same trajectory: {made['location']}")
    if report["held"]:
        say(f"In {report['held']} frames the head was lost for a moment; a growing area around it is hidden.")
    if report["whole"]:
        say(f"{report['whole']} frames are hidden whole: nothing says where the head is.")
    say(BYSTANDERS)
