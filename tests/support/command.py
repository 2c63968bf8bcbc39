"""Drives the real `kinesphere` command in a process of its own."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.support import preloaded_command as preloaded

TASK = """
name = "move"
title = "Move about"
instructions = "Move as you like."
consent = "I agree to the test."
[criteria]
duration_seconds = { doubt = 1, fail = 0 }
hands_visible_share = { doubt = 0, fail = 0 }
[labels]
verbs = ["move", "rest"]
"""


@dataclass(frozen=True)
class Command:
    """The command, bound to one workspace."""

    workspace: Path

    @classmethod
    def in_new_workspace(cls, folder: Path) -> Command:
        """A workspace with the task `move` and the contributor `c001`: a copy of one that the command made."""
        shutil.copytree(_workspace(), folder)
        (folder.parent / "move.toml").write_text(TASK)
        return cls(folder)

    def arguments(self, *words: str) -> list[str]:
        """The command line of `kinesphere WORDS`."""
        return [sys.executable, "-m", "studio", *words]

    @property
    def environment(self) -> dict[str, str]:
        """The environment that names the workspace."""
        return os.environ | {
            "KINESPHERE_WORKSPACE": str(self.workspace),
            "PYTHONPATH": str(preloaded.ROOT),
            "COLUMNS": preloaded.COLUMNS,
        }

    def run(self, *words: str, code: int = 0, workspace: bool = True) -> subprocess.CompletedProcess[str]:
        """Run it to its end and hold it to an exit code."""
        environment = self.environment
        if not workspace:
            del environment["KINESPHERE_WORKSPACE"]
        done = preloaded.run(words, environment, seconds=280)
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words: str) -> Any:
        """Run it with --json and read what it prints."""
        return json.loads(self.run(*words, "--json").stdout)

    def error(self, *words: str) -> str:
        """Run it to a failure that it explains in one line; gives the line."""
        done = self.run(*words, code=1)
        lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1 and "Traceback" not in done.stderr, done.stderr
        return lines[0]

    def files(self) -> set[str]:
        """Everything in the workspace but the catalog, for comparing before and after."""
        return {
            str(path.relative_to(self.workspace))
            for path in self.workspace.rglob("*")
            if path.is_file() and not path.name.startswith("catalog.sqlite")
        }


@cache
def _workspace() -> Path:
    """Made once, as three commands take longer than most of the tests that begin with them."""
    folder = Path(tempfile.mkdtemp(prefix="kinesphere-tests-"))
    atexit.register(shutil.rmtree, folder)
    command = Command(folder / "workspace")
    command.run("init", str(command.workspace), workspace=False)
    (folder / "move.toml").write_text(TASK)
    command.run("task", "add", str(folder / "move.toml"))
    command.run("contributor", "add", "c001")
    return command.workspace
