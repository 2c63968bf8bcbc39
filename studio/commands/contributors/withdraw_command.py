"""Command of contributors: withdraw."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from kinesphere.errors import InvalidInput, KinesphereError
from storage.recordings.recording import State
from studio.commands.contributors.draft_takes import catch_up
from studio.commands.options import HERE, JsonOption, TokenOption, WorkspaceOption, opened
from studio.commands.output import print_json, say, say_error, steps

if TYPE_CHECKING:
    from storage.catalog import RecordingRecord
    from storage.workspace import Workspace
    from studio.pipeline.withdrawal import TakenBack


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(withdraw)


def withdraw(
    recordings: Annotated[list[str] | None, typer.Argument(help="Which recordings to take back.")] = None,
    contributor: Annotated[
        str | None, typer.Option("--contributor", "-c", help="Take back everything of this contributor.")
    ] = None,
    why: Annotated[str, typer.Option(help="The reason, if you want to give one.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    token: TokenOption = None,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Take recordings back, whatever became of them, and erase them: videos, shards, drafts, episodes, exports.

    What was sent to a server is erased there first. It cannot be undone; interrupted, it can be repeated.
    """
    if not recordings and contributor is None:
        raise InvalidInput("say what to take back: kinesphere withdraw RECORDING, or --contributor YOU for everything")
    with opened(folder) as workspace:
        if contributor is not None:
            catch_up(workspace, quiet=True)  # a take that was cut short is theirs too
        rows = _chosen(workspace, recordings or [], contributor)
        if not yes and not (sys.stdin.isatty() and typer.confirm(f"Take back and erase {len(rows)} recordings?")):
            raise InvalidInput("nothing was taken back; pass --yes to do it without being asked")
        there, failures = _from_servers(workspace, rows, why=why, token=token)
        refused = {recording for recording, _ in failures}
        done = _here(workspace, [row for row in rows if row.recording not in refused], why=why, quiet=as_json)
    if as_json:
        taken = [name for part in done for name in part.recordings]
        receipts = list(dict.fromkeys(receipt for part in done for receipt in part.receipts))
        refusals = {"failures": [f"{recording}: {error}" for recording, error in failures]} if failures else {}
        print_json({"withdrawn": taken, "receipts": receipts, "servers": there} | refusals)
    else:
        for part in done:
            say(f"Erased {', '.join(part.recordings)}. Receipt: {', '.join(part.receipts)}")
        for recording in (name for name, state in there.items() if state != State.ERASED):
            say(f"The server that has {recording} has taken it back, and is still erasing it.")
        if not rows:
            say(f"There is nothing of '{contributor}' to take back.")
    if failures:
        for recording, error in failures:
            say_error(f"{recording} was not taken back: {error}" if len(rows) > 1 else error)
        raise typer.Exit(1)


def _chosen(workspace: Workspace, recordings: list[str], contributor: str | None) -> list[RecordingRecord]:
    rows = [workspace.catalog.recording(name) for name in dict.fromkeys(recordings)]
    if contributor is not None and not recordings:
        workspace.catalog.require_contributor(contributor)
        return workspace.catalog.recordings(contributor=contributor)
    for row in rows:
        if contributor is not None and row.contributor != contributor:
            raise InvalidInput(f"recording {row.recording} is not of contributor '{contributor}'; nothing was changed")
    return rows


def _from_servers(
    workspace: Workspace, rows: list[RecordingRecord], *, why: str, token: str | None
) -> tuple[dict[str, str], list[tuple[str, KinesphereError]]]:
    """Take back what was sent elsewhere, first, so that nothing is believed gone that is not."""
    there: dict[str, str] = {}
    failures: list[tuple[str, KinesphereError]] = []
    for row in rows:
        from studio.commands.contributors import sending

        if row.sent_to is None:
            sending.end_begun(workspace, row, token=token)
            continue
        try:
            there[row.recording] = sending.withdraw(row, why=why, token=token)
        except KinesphereError as error:
            failures.append((row.recording, error))
    return there, failures


def _here(workspace: Workspace, rows: list[RecordingRecord], *, why: str, quiet: bool) -> list[TakenBack]:
    from studio.pipeline.withdrawal import take_back

    by_contributor: dict[str, list[str]] = {}
    for row in rows:
        by_contributor.setdefault(row.contributor, []).append(row.recording)
    if quiet:
        return [take_back(workspace, who, names, why=why) for who, names in by_contributor.items()]
    with steps("Erasing") as show:
        return [
            take_back(workspace, who, names, why=why, on_step=lambda step: show(f"Erasing: {step}"))
            for who, names in by_contributor.items()
        ]
