"""The command `versions`: the versions of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened
from studio.commands.output import print_json, print_table

if TYPE_CHECKING:
    from kinesphere.versions.manifests import Version


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(versions)


def versions(
    name: Annotated[str, typer.Argument(help="Name of the dataset.")],
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """List the versions of a dataset."""
    from kinesphere.versions.manifests import list_versions, read_manifest

    with opened(folder) as workspace:
        found = [read_manifest(workspace.objects, name, number) for number in list_versions(workspace.objects, name)]
    if as_json:
        print_json([version.manifest for version in found])
        return
    columns = ["version", "created (UTC)", "episodes", "frames", "where", ""]
    print_table(f"Versions of {name}", columns, [_line(version) for version in found])


def _line(version: Version) -> tuple[object, ...]:
    """What the list of versions says of one."""
    manifest = version.manifest
    if version.is_withdrawn:
        successor = manifest["replaced_by"]
        return version.number, "", "", "", "", "withdrawn" + (f"; see {successor}" if successor else "")
    note = ", ".join(f"{key} {value}" for key, value in manifest.get("erasure", {}).items() if key != "receipt")
    counts = manifest["counts"]
    where = manifest["where"] or ""
    return version.number, manifest["created_at"][:19], counts["episodes"], counts["frames"], where, note
