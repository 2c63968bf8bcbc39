"""The command `restore`: a backup becomes a workspace again, in an empty place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from studio.commands.operators.backup_command import counted, show_snapshots, shown_by, size_words
from studio.commands.options import HERE, JsonOption, WorkspaceOption
from studio.commands.output import print_json, print_table, progress, say, say_error

if TYPE_CHECKING:
    from storage.backup.restore import RestoreReport


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(restore)


def restore(
    source: Annotated[str, typer.Argument(help="Where the backup is: a folder or an object store.")],
    snapshot: Annotated[str | None, typer.Option(help="Which snapshot; see --list.", show_default="the newest")] = None,
    show: Annotated[bool, typer.Option("--list", help="Only show the snapshots that are there.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the workspace.", show_default="as it was")] = None,
    catalog: Annotated[
        str, typer.Option(help="sqlite:///FILE or an empty postgresql://...")
    ] = "sqlite:///catalog.sqlite",
    store: Annotated[str, typer.Option(help="Folder or object store without objects.")] = ".",
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Restore a workspace from a backup, into a place where nothing is.

    Every object is compared with the hash that it had. Who was erased after the snapshot, as far as the backup knows,
    is erased again. Interrupted, it goes on when repeated with the same words.
    """
    from storage.backup.backup_place import BackupPlace
    from storage.backup.restore import Destination
    from storage.backup.restore import restore as restored

    if show:
        show_snapshots(BackupPlace.open(source), as_json=as_json)
        return
    with progress("Restoring", None, quiet=as_json) as bar:
        report = restored(
            source,
            Destination(folder, name, catalog, store),
            snapshot=snapshot,
            on_step=lambda step: bar(0, title=f"Restoring: {step}"),
            on_progress=shown_by(bar),
        )
        bar(1, total=1, title="Restored")
    if as_json:
        print_json(report)
    else:
        _tell(report)
    if report.lost:
        say_error(f"{counted(len(report.lost), 'object')} could not be restored: missing or damaged in the backup")
        raise typer.Exit(1)


def _tell(report: RestoreReport) -> None:
    rows = report.snapshot.manifest["catalog"]["rows"]
    say(
        f"Restored '{report.workspace}' as it was on {report.snapshot.made_at:%Y-%m-%d %H:%M:%S} UTC: "
        f"{counted(rows['recording'], 'recording')}, {counted(report.objects, 'object')} ({size_words(report.bytes)})."
    )
    missing = report.snapshot.manifest["missing"]
    if missing:
        lost = counted(len(missing), "object")
        say(f"Missing or damaged already when it was backed up: {lost}; see: kinesphere doctor PATH")
    if report.erased_again:
        say(f"Erased again, as after that moment: {', '.join(report.erased_again)} (receipts).")
    if report.lost:
        print_table("Not restored", ["object"], [(key,) for key in report.lost])
    say(
        "Everybody signs in again. What was done since is not in it: accounts and tokens that were taken away are back "
        "(kinesphere account list), and whoever was erased since the last backup must be erased again."
    )
