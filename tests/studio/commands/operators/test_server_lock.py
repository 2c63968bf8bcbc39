"""A second server of a workspace is refused, whatever its catalog is in; with real processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from storage.workspace import create_workspace

ROOT = Path(__file__).parents[4]
ENVIRONMENT = os.environ | {"KINESPHERE_TOKEN": "a-token-for-the-tests"}


def serve(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "studio", "serve", "--port", "0", "--workspace", str(folder)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT
    )


def starts(server: subprocess.Popen[str]) -> bool:
    assert server.stdout is not None
    return "Serving the workspace" in server.stdout.readline()


@pytest.mark.slow
@pytest.mark.parametrize("catalog", ["sqlite", "postgres"])
def test_a_second_server_is_refused_until_the_first_is_gone(
    tmp_path: Path, catalog: str, request: pytest.FixtureRequest
) -> None:
    url = "sqlite:///catalog.sqlite" if catalog == "sqlite" else request.getfixturevalue("own_postgres_url")
    create_workspace(tmp_path / "here", catalog=url, name="kitchen").catalog.close()
    elsewhere = tmp_path / "here"
    if catalog == "postgres":  # as on another computer
        elsewhere = tmp_path / "there"
        elsewhere.mkdir()
        text = (tmp_path / "here/workspace.toml").read_text()
        (elsewhere / "workspace.toml").write_text(text)
    first = serve(tmp_path / "here")
    try:
        assert starts(first)
        second = serve(elsewhere)
        _, refusal = second.communicate(timeout=120)
        assert second.returncode == 1
        assert f"served already, by process {first.pid} on {socket.gethostname()}" in refusal
        assert "Traceback" not in refusal
        first.send_signal(signal.SIGKILL)
        first.wait()
        third = serve(elsewhere)
        try:
            assert starts(third), "a server that was killed makes way"
        finally:
            third.kill()
            third.communicate()
    finally:
        first.kill()
        first.communicate()
