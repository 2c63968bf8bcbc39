"""The command `backup`: the whole workspace to another disk or an object store, while it is in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened
from studio.commands.output import Progress, print_json, print_table, progress, say, say_error

if TYPE_CHECKING:
    from storage.backup.backup_place import BackupPlace
    from storage.backup.backup_run import BackupReport


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(backup)


def backup(
    destination: Annotated[str, typer.Argument(metavar="DEST", help="Folder or object store, of the backup's own.")],
    keep: Annotated[int, typer.Option(min=1, help="Snapshots to keep, this one among them.")] = 7,
    show: Annotated[bool, typer.Option("--list", help="Only show the snapshots that are there.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Only read the backup through, and compare hashes.")] = False,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Back up the catalog and all objects, whoever works meanwhile; only what is new is copied.

    Interrupted, it is continued when repeated, and the last whole snapshot can still be restored. What was erased from
    the workspace leaves the backup, with the earlier snapshots that name it.
    """
    if show or verify:
        from storage.backup.backup_place import BackupPlace

        place = BackupPlace.open(destination)
        if verify:
            _verify(place, as_json=as_json)
        else:
            show_snapshots(place, as_json=as_json)
        return
    from storage.backup.backup_run import back_up

    with opened(folder) as workspace, progress("Backing up", None, quiet=as_json) as bar:
        report = back_up(
            workspace,
            destination,
            keep=keep,
            on_step=lambda step: bar(0, title=f"Backing up: {step}"),
            on_progress=shown_by(bar),
        )
        bar(1, total=1, title="Backed up")
    if as_json:
        print_json(report)
    else:
        _tell(report, destination)
    if report.losses:
        are = "is" if len(report.losses) == 1 else "are"
        lost = counted(len(report.losses), "object")
        say_error(f"{lost} of the workspace {are} missing or damaged; see: kinesphere doctor PATH --deep")
        raise typer.Exit(1)


def _tell(report: BackupReport, destination: str) -> None:
    rows = report.snapshot.manifest["catalog"]["rows"]
    say(
        f"Backed up to {destination}, snapshot {report.snapshot.name}: {counted(rows['recording'], 'recording')}, "
        f"{counted(report.copied, 'object')} copied ({size_words(report.copied_bytes)}), {report.kept} there already "
        f"({size_words(report.kept_bytes)})."
    )
    removed = report.removed
    if removed.objects or removed.snapshots or removed.erased:
        parts = [f"{counted(removed.objects, 'object')} ({size_words(removed.bytes)}) that no snapshot names any more"]
        if removed.snapshots:
            parts.append(counted(len(removed.snapshots), "old snapshot"))
        if removed.erased:
            parts.append(f"{counted(len(removed.erased), 'snapshot')} that named what was erased since")
        say(f"Removed {', '.join(parts)}.")
    if report.losses:
        print_table("Missing or damaged", ["object", "what"], [(loss.key, loss.words) for loss in report.losses])


def show_snapshots(place: BackupPlace, *, as_json: bool) -> None:
    """Print the whole snapshots of a backup."""
    snapshots = place.snapshots()
    if as_json:
        print_json([snapshot.manifest for snapshot in snapshots])
        return
    rows = [
        (
            snapshot.name,
            f"{snapshot.made_at:%Y-%m-%d %H:%M:%S} UTC",
            snapshot.manifest["catalog"]["rows"]["recording"],
            snapshot.manifest["counts"]["objects"],
            size_words(snapshot.manifest["counts"]["bytes"]),
        )
        for snapshot in snapshots
    ]
    print_table(f"Snapshots of '{place.workspace}'", ["snapshot", "made", "recordings", "objects", "together"], rows)


def _verify(place: BackupPlace, *, as_json: bool) -> None:
    from storage.backup.backup_check import find_damage

    with progress("Reading", None, quiet=as_json) as bar:
        damaged = find_damage(place, shown_by(bar))
    if as_json:
        print_json({"damaged": damaged})
    elif damaged:
        print_table("Missing or damaged in the backup", ["object"], [(key,) for key in damaged])
    else:
        say(f"All of the backup of '{place.workspace}' is there, every byte.")
    if damaged:
        say_error("delete these objects: the next backup copies them again, as far as the workspace still has them")
        raise typer.Exit(1)


def shown_by(bar: Progress) -> Callable[[int, int], None]:
    """What moves a progress bar to so many of so many."""
    return lambda done, total: bar(done, total=max(1, total))


def counted(number: int, what: str) -> str:
    """So many of something."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def size_words(size_bytes: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"
