"""The command `submit`: drafts are handed in, here or to a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from kinesphere.errors import InvalidInput, KinesphereError
from storage.recordings.recording import State
from studio.commands.contributors.draft_takes import catch_up
from studio.commands.options import HERE, JsonOption, TokenOption, WorkspaceOption, opened
from studio.commands.output import print_json, print_table, say, say_error

if TYPE_CHECKING:
    from storage.catalog import RecordingRecord
    from storage.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(submit)


def submit(
    recordings: Annotated[list[str] | None, typer.Argument(help="Which drafts; or --all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Submit all drafts.")] = False,
    to: Annotated[str | None, typer.Option(help="URL of the server to send them to.", show_default="here")] = None,
    token: TokenOption = None,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Hand drafts in. After this they cannot be changed."""
    from capture.drafts.outbox import submit as submit_one
    from studio.commands.contributors import sending

    with opened(folder) as workspace:
        catch_up(workspace, quiet=as_json)
        waiting_rows = {row.recording: row for row in workspace.catalog.recordings(State.DRAFT)}
        drafts = list(waiting_rows)
        if not recordings and not everything:
            waiting = ", ".join(drafts) or "there is none"
            raise InvalidInput(f"say which drafts to submit, or --all (waiting: {waiting})")
        chosen = drafts if everything else list(dict.fromkeys(recordings or []))
        if not as_json and chosen:
            _show_waiting(workspace, [waiting_rows[name] for name in chosen if name in waiting_rows], to)
        failures: list[KinesphereError] = []
        if to is not None:
            chosen, failures = sending.send_all(workspace, chosen, to=to, token=token, quiet=as_json)
        else:
            for recording in chosen:
                submit_one(workspace, recording)
    if as_json:
        print_json({"submitted": chosen} | ({"failures": [str(error) for error in failures]} if failures else {}))
    elif chosen:
        for recording in chosen:
            say(f"Submitted {recording}. Thank you!")
    elif not failures:
        say("There is nothing to submit.")
    if failures:
        for failure in failures:
            say_error(failure)
        raise typer.Exit(1)


def _show_waiting(workspace: Workspace, rows: Sequence[RecordingRecord], to: str | None) -> None:
    """Say what is about to be handed in."""
    videos = [workspace.drafts / row.recording / "video.mp4" for row in rows]
    sizes = [video.stat().st_size if video.exists() else 0 for video in videos]  # submitting says what is missing
    cells = [
        (row.recording, row.task, f"{row.duration_ns / 1e9:.1f} s", f"{size / 1e6:.1f} MB")
        for row, size in zip(rows, sizes, strict=True)
    ]
    print_table(f"To {to or 'this workspace'}", ["recording", "task", "length", "size"], cells)
