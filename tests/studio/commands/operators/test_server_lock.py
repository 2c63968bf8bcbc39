"""A second server of a workspace is refused, whatever its catalog is in; with real processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, make_url, text

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


@pytest.fixture
def database(own_postgres_url: str) -> Iterator[Connection]:
    """A look into the database, past the servers."""
    engine = create_engine(
        make_url(own_postgres_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def holder(database: Connection) -> tuple[int, str] | None:
    """The connection that has the server's lock: its process in PostgreSQL, and its name."""
    row = database.execute(
        text(
            "SELECT pid, application_name FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE granted AND "
            "locktype = 'advisory' AND datname = current_database()"
        )
    ).first()
    return None if row is None else (int(row[0]), str(row[1]))


def cut(database: Connection) -> int:
    """End the connection that has the lock, as a database that is started anew does; gives its process."""
    found = holder(database)
    assert found is not None
    database.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": found[0]})
    return found[0]


@pytest.mark.slow
def test_a_server_whose_lock_was_lost_with_its_connection_takes_it_again_or_stops(
    tmp_path: Path, own_postgres_url: str, database: Connection
) -> None:
    create_workspace(tmp_path / "here", catalog=own_postgres_url, name="kitchen").catalog.close()
    first = serve(tmp_path / "here")
    with ExitStack() as stack:
        stack.callback(first.communicate)
        stack.callback(first.kill)
        assert starts(first)
        before, until = cut(database), time.monotonic() + 120
        while (now := holder(database)) is None or now[0] == before:
            assert time.monotonic() < until, "the lock is not taken again"
            time.sleep(0.1)
        assert now[1].startswith(f"process {first.pid} on ")
        refused = serve(tmp_path / "here")
        _, refusal = refused.communicate(timeout=120)
        assert refused.returncode == 1 and f"by process {first.pid} on" in refusal

        first.send_signal(signal.SIGSTOP)  # as one that is cut off: it cannot notice
        cut(database)
        second = serve(tmp_path / "here")
        stack.callback(second.communicate)
        stack.callback(second.kill)
        assert starts(second)
        first.send_signal(signal.SIGCONT)
        _, said = first.communicate(timeout=120)
        assert first.returncode == 1 and "Traceback" not in said
        assert f"was broken, and meanwhile the workspace is served already, by process {second.pid} on" in said
        assert second.poll() is None
