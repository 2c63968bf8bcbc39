"""Nothing that was deleted can be read in the catalog's files, whatever SQLite was built with."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from storage.catalog.freed_space import drop_freed_space, in_freed_space
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.workspace import Workspace
from tests.support.populated_workspaces import populate


def careless_connection(workspace: Workspace) -> sqlite3.Connection:
    """As an earlier release's on a SQLite that does not overwrite what it deletes."""
    connection = sqlite3.connect(workspace.folder / "catalog.sqlite", isolation_level=None)
    connection.execute("PRAGMA secure_delete=OFF")
    return connection


def raw_bytes(workspace: Workspace) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(workspace.folder.glob("catalog.sqlite*")))


def test_every_connection_overwrites_what_it_deletes(workspace: Workspace) -> None:
    with workspace.catalog.reading() as session:
        assert session.connection().exec_driver_sql("PRAGMA secure_delete").scalar() == 1


def test_an_erasure_leaves_nothing_in_the_files_while_others_are_connected(workspace: Workspace) -> None:
    populate(workspace, {"annabella-of-the-test": 3, "ben": 1}, frames=8)
    assert b"annabella-of-the-test" in raw_bytes(workspace)
    erase(workspace, "annabella-of-the-test", who="eve")
    assert b"annabella-of-the-test" not in raw_bytes(workspace)


def test_rows_that_were_deleted_carelessly_are_found_and_go(workspace: Workspace) -> None:
    populate(workspace, {"annabella-of-the-test": 1, "ben": 1}, frames=8)
    careless = careless_connection(workspace)
    name = b"annabella-of-the-test"
    for number in range(400):  # several pages, which become free pages
        careless.execute(
            "insert into event (recording, at, who, to_state, why) "
            "select recording, created_at, ?, 'submitted', ? from recording limit 1",
            ("annabella-of-the-test", f"annabella-of-the-test {number} " * 5),
        )
    careless.execute("delete from event where why like 'annabella%'")
    careless.close()
    erase_carelessly = workspace.catalog.engine
    drop_freed_space(erase_carelessly)
    assert in_freed_space(erase_carelessly, name)
    erase(workspace, "annabella-of-the-test", who="eve")
    assert name not in raw_bytes(workspace)
    assert find_traces(workspace, "annabella-of-the-test") == []


def test_who_reads_all_the_time_is_named_and_repeated_it_ends(workspace: Workspace, tmp_path: Path) -> None:
    populate(workspace, {"annabella-of-the-test": 1, "ben": 1}, frames=8)
    reader = careless_connection(workspace)
    reader.execute("begin")
    reader.execute("select * from event").fetchone()
    reader_is_seen = workspace.catalog.engine
    with reader_is_seen.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=200")
    erase(workspace, "annabella-of-the-test", who="eve")
    (trace,) = find_traces(workspace, "annabella-of-the-test")
    assert trace.where == "catalog" and "erase again" in trace.what
    reader.execute("rollback")
    reader.close()
    erase(workspace, "annabella-of-the-test", who="eve")
    assert find_traces(workspace, "annabella-of-the-test") == []
