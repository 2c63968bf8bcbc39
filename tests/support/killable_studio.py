"""A studio in a process of its own that a test may kill, and start again at the same address with the same session.

Run as `python -m tests.support.killable_studio WORKSPACE PORT`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from storage.catalog import SignIns
from storage.workspace import open_workspace
from studio.web.access.credentials import SESSION_COOKIE, Credentials, LocalAccess
from tests.support.studio_server import LIMIT, TOKEN


class KillableStudio:
    """Starts with the `with` block; `kill` is SIGKILL, as a crash is."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        opened = open_workspace(workspace)
        secret = SignIns(opened.catalog).begin_session(
            "olivia", local=True
        )  # the catalog keeps it: crashes end no session
        opened.catalog.close()
        self.cookie = {"name": SESSION_COOKIE, "value": secret, "url": self.url}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "tests.support.killable_studio", str(self.workspace), str(self.port)]
        self.process = subprocess.Popen(command)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("the studio did not start")

    def kill(self) -> None:
        """End it as a crash does."""
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def __enter__(self) -> KillableStudio:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.kill()


def _serve(folder: str, port: str) -> None:
    import uvicorn

    from studio.web.web_app import create_app

    workspace = open_workspace(Path(folder))
    credentials = Credentials(SignIns(workspace.catalog), LocalAccess("olivia", TOKEN))
    app = create_app(workspace, credentials=credentials, upload_limit=LIMIT)
    uvicorn.run(app, port=int(port), log_level="warning")


if __name__ == "__main__":
    _serve(*sys.argv[1:])
