"""The command `cameras`: which cameras this computer has, and what they can do."""

from __future__ import annotations

from dataclasses import asdict

import typer

from studio.commands.options import JsonOption
from studio.commands.output import print_json, print_table, say


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(cameras)


def cameras(as_json: JsonOption = False) -> None:
    """List the cameras of this computer and what they can do."""
    from capture.sources.camera_modes import best_mode, list_modes
    from capture.sources.cameras import list_cameras
    from storage.tasks.criteria import Criteria

    found = [(camera, list_modes(camera.path)) for camera in list_cameras()]
    if as_json:
        print_json([asdict(camera) | {"modes": modes} for camera, modes in found])
    elif found:
        rows = [
            (camera.name, camera.id, len(modes), best_mode(modes, Criteria()) or "what it gives by itself")
            for camera, modes in found
        ]
        print_table("Cameras", ["name", "id", "modes", "used for most tasks"], rows)
        say('Record with one: kinesphere record --source "NAME" --task TASK --contributor YOU')
    else:
        say("No camera was found. Plug one in, or rehearse with --source test or --source file:CLIP.")
