"""A studio to be measured: `kinesphere serve` in a process of its own, on a workspace with people who may use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from storage.catalog import Role, SignIns
from storage.workspace import Workspace, open_workspace
from studio.web.access.credentials import SESSION_COOKIE
from tests.support.studio_server import new_account

_TOKEN = "a-token-for-the-benchmarks"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Served:
    """A running server."""

    url: str
    workspace: Workspace
    process: subprocess.Popen[str]

    def cpu_seconds(self) -> float:
        """Processor time that the server, and those of its children that have ended, have used so far."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, words[11:15])) / _TICKS

    def headers(self) -> dict[str, str]:
        """What proves the operator's commands."""
        return {"Authorization": f"Bearer {_TOKEN}"}

    def cookie(self) -> dict[str, str]:
        """What proves the operator's browser, as Playwright takes it."""
        secret = SignIns(self.workspace.catalog).begin_session("olivia", local=True)
        return {"name": SESSION_COOKIE, "value": secret, "url": self.url}

    def tokens(self, role: Role, names: Sequence[str]) -> list[str]:
        """New accounts of a role; gives a token of each. A contributor records under their own name."""
        contributors = [name if role is Role.CONTRIBUTOR else None for name in names]
        for contributor in filter(None, contributors):
            self.workspace.catalog.add_contributor(contributor)
        return [
            new_account(self.workspace, name, role, contributor=contributor)
            for name, contributor in zip(names, contributors, strict=True)
        ]


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """Serve the workspace in a folder until the block ends."""
    command = [sys.executable, "-m", "studio", "serve", "--port", "0", "--json", "-w", str(folder)]
    environment = {**os.environ, "KINESPHERE_TOKEN": _TOKEN}
    workspace = open_workspace(folder)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            told = ""
            while not told.rstrip().endswith("}"):
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError(f"the server did not start: {told}")
                told += line
            yield Served(json.loads(told)["url"], workspace, process)
        finally:
            process.terminate()
            workspace.catalog.close()


def spread(seconds: Sequence[float]) -> list[str]:
    """Median, 95th percentile and the longest, in milliseconds."""
    values = 1e3 * np.asarray(seconds)
    return [f"{value:.1f}" for value in (np.median(values), np.percentile(values, 95), values.max())]


def load() -> str:
    """The machine's load in the last minute, and its cores."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
