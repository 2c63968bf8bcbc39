"""The command `init`: a new workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studio.commands.options import JsonOption
from studio.commands.output import print_json, say


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(init)


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new workspace.")],
    name: Annotated[str | None, typer.Option(help="Its name.", show_default="the folder's")] = None,
    catalog: Annotated[str, typer.Option(help="sqlite:///FILE or postgresql://...")] = "sqlite:///catalog.sqlite",
    store: Annotated[str, typer.Option(help="Folder or object store, e.g. s3://bucket/prefix.")] = ".",
    as_json: JsonOption = False,
) -> None:
    """Make a workspace: a folder with a catalog and a place for objects."""
    from storage.workspace import create_workspace

    workspace = create_workspace(folder, name=name, catalog=catalog, store=store)
    workspace.catalog.close()
    if as_json:
        print_json({"workspace": workspace.folder, "name": workspace.name})
    else:
        say(f"Made the workspace '{workspace.name}' in {workspace.folder}. Next: kinesphere task add FILE.toml")
