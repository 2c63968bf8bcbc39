"""A package that adds kinds of things by entry points, installed into a folder as pip would."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.command import Command

SITE = "site-packages"


@dataclass(frozen=True)
class CommandWithExtensions(Command):
    """The command, where what is in the folder `SITE` beside the workspace is installed."""

    @property
    def environment(self) -> dict[str, str]:
        given = super().environment
        return given | {"PYTHONPATH": os.pathsep.join((given["PYTHONPATH"], str(self.workspace.parent / SITE)))}


def install_extension(
    folder: Path, package: str, code: str, points: Mapping[str, Mapping[str, str]], version: str = "1.0"
) -> Path:
    """Write a package of one module and its metadata; when the folder is on the path, it is installed.

    Args:
        folder: where to, which must exist.
        package: its name, e.g. `acme-cameras`; the module is `acme_cameras`.
        code: of the module.
        points: by entry point group, the module's names by the entry points' names.
        version: of the package.

    Returns:
        The folder.
    """
    module = package.replace("-", "_")
    (folder / f"{module}.py").write_text(code)
    metadata = folder / f"{module}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    sections = [
        f"[{group}]\n" + "".join(f"{name} = {module}:{attribute}\n" for name, attribute in names.items())
        for group, names in points.items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(sections))
    return folder
