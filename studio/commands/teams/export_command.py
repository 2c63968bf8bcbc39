"""Commands of those who hand datasets on: export, exports."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened, parse_dataset
from studio.commands.output import print_json, print_table, progress, say

if TYPE_CHECKING:
    from storage.catalog import ExportRecord


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(export)
    app.command()(exports)


def export(
    dataset: Annotated[str, typer.Argument(help="NAME, or NAME@N for one version.")],
    out: Annotated[str, typer.Argument(help="An empty folder, or a prefix such as s3://bucket/prefix.")],
    format_name: Annotated[
        str,
        typer.Option(
            "--format", help="kinesphere (a copy of its own), lerobot (v3.0), parquet, or one that a package adds."
        ),
    ],
    rate: Annotated[
        float | None, typer.Option(help="Resample to so many frames per second.", show_default="true times")
    ] = None,
    keys: Annotated[
        str | None, typer.Option(help="Arrays, with commas between: wrist_pose,grip.", show_default="all")
    ] = None,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write a version of a dataset elsewhere. It is kept on a list, so that an erasure finds it: kinesphere exports."""
    from storage.exports import export_version

    name, number = parse_dataset(dataset)
    with opened(folder, for_others=True) as workspace, progress(f"Exporting {dataset}", None, quiet=as_json) as show:
        made = export_version(
            workspace,
            name,
            number,
            out,
            format_name=format_name,
            rate=rate,
            keys=keys.replace(" ", "").split(",") if keys else None,
            made_by=getpass.getuser(),
            on_progress=lambda done, total: show(done, total=total),
        )
    if as_json:
        print_json(made)
        return
    say(f"Exported {made.dataset}@{made.version} ({made.format}) to {made.location}, as export {made.export}.")
    if made.format == "kinesphere":
        say(f'Read it with: kinesphere.open_dataset("{made.location}/datasets/{made.dataset}")')
    say("Whoever copies it on must delete those copies when somebody in it is erased: nobody else can.")


def exports(
    forget: Annotated[
        str | None, typer.Option(metavar="ID", help="Strike off an export that you have deleted by hand.")
    ] = None,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """List the exports that an erasure looks after, and what became of them."""
    from storage.catalog import Exports
    from storage.exports import forget_export

    with opened(folder) as workspace:
        forgotten = forget_export(workspace, forget) if forget is not None else None
        found = Exports(workspace.catalog).all()
    if as_json:
        print_json({"exports": found} | ({"forgotten": forgotten} if forgotten is not None else {}))
    elif forgotten is not None:
        say(f"Forgotten: export {forgotten.export}. Nothing was deleted in {forgotten.location}.")
    elif not found:
        say("There are no exports. Make one with: kinesphere export NAME OUT --format lerobot --rate 30")
    else:
        print_table("Exports", ["id", "version", "format", "where", "made (UTC)", "by", "state"], _rows(found))


def _rows(found: list[ExportRecord]) -> list[tuple[object, ...]]:
    from storage.exports.export_erasure import place_of

    meanings = {
        "writing": "not whole; export again to complete it",
        "made": "made",
        "removed": "removed by an erasure",
        "unreachable": "could not be reached by an erasure; erase again when it can be",
    }
    return [
        (
            record.export,
            f"{record.dataset}@{record.version}",
            record.format,
            place_of(record),
            f"{record.made_at:%Y-%m-%d %H:%M}",
            record.made_by,
            meanings[record.state],
        )
        for record in found
    ]
