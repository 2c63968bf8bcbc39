"""The command `rebuild`: a new catalog from what lies beside the videos, where the catalog is lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.commands.options import HERE, JsonOption, WorkspaceOption
from studio.commands.output import print_json, print_table, say, steps

if TYPE_CHECKING:
    from storage.backup.rebuild import RebuildReport


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(rebuild)


def rebuild(
    task: Annotated[
        list[Path] | None, typer.Option(metavar="FILE.toml", help="A task's file, if it is still there; once for each.")
    ] = None,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write a new catalog where it is lost and there is no backup; never over one that is there.

    Recordings, contributors, trajectories, published labels and erasures are found again. What nothing tells any more
    is listed.
    """
    from annotate.checks.task_criteria import completed
    from storage.backup.rebuild import rebuild as rebuilt
    from storage.tasks.task import read_task

    tasks = [read_task(file, complete=completed) for file in task or ()]
    with steps("Rebuilding") as show:
        report = rebuilt(folder, tasks, on_step=lambda step: show(f"Rebuilding: {step}"))
    if as_json:
        print_json(report)
    else:
        _tell(report)


def _tell(report: RebuildReport) -> None:
    states = ", ".join(f"{count} {state}" for state, count in report.states.items()) or "none"
    say(
        f"Rebuilt the catalog. Recordings: {states}; contributors: {report.contributors}, trajectories: "
        f"{report.trajectories}, segments: {report.segments}, erasures: {report.erasures}."
    )
    if report.placeholders:
        say(
            f"Of these tasks only criteria and labels are known: {', '.join(report.placeholders)}. Before anybody "
            "records again, add their files: kinesphere task add FILE.toml"
        )
    if report.erased_again:
        say(f"Deleted what lay here of recordings that were erased: {', '.join(report.erased_again)}.")
    if report.unreadable:
        print_table("Could not be read", ["what"], [(line,) for line in report.unreadable])
    print_table("Nobody can know any more", ["what"], [(line,) for line in report.unknown])
    say("Next: kinesphere doctor PATH, then kinesphere process for what is submitted.")
