"""One server at a time on a catalog, whichever process or machine it is started from."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Engine, text

from kinesphere.errors import Conflict
from storage.catalog.catalog import Catalog
from storage.catalog.connection import database_errors

_KEY = int.from_bytes(hashlib.sha256(b"serve").digest()[:8], "big", signed=True)
_LONGEST_NAME = 63
"""Of an application, to PostgreSQL."""


@contextmanager
def server_lock(catalog: Catalog) -> Iterator[None]:
    """Be the only server of a catalog within the block. A server that dies makes way at once.

    Two would each hold locks that the other does not see, and accept the same video twice at once.

    Args:
        catalog: of the workspace that is served.

    Yields:
        Nothing: the block serves.

    Raises:
        Conflict: another server is at it; the text names its process and computer.
        StorageFailed: the database cannot be reached.
    """
    name = f"process {os.getpid()} on {socket.gethostname()}"
    locked = _file_locked if catalog.engine.dialect.name == "sqlite" else _database_locked
    with locked(catalog.engine, name[:_LONGEST_NAME]):
        yield


@contextmanager
def _file_locked(engine: Engine, name: str) -> Iterator[None]:
    holder = Path(f"{engine.url.database}.serve.holder")
    lock = FileLock(f"{engine.url.database}.serve.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise _refusal(holder.read_text(encoding="utf-8") if holder.exists() else "") from error
    try:
        holder.write_text(name, encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


@contextmanager
def _database_locked(engine: Engine, name: str) -> Iterator[None]:
    shown = engine.url.render_as_string(hide_password=True)
    with database_errors(shown):
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # closed at the end for good, which gives the lock back
    try:
        with database_errors(shown):
            connection.execute(text("SELECT set_config('application_name', :name, false)"), {"name": name})
            if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}).scalar():
                holder = connection.execute(
                    text(
                        "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE granted AND "
                        "locktype = 'advisory' AND datname = current_database() AND "
                        "((classid::bigint << 32) | objid::bigint) = :key"
                    ),
                    {"key": _KEY},
                ).scalar()
                raise _refusal(str(holder or ""))
        yield
    finally:
        connection.close()


def _refusal(holder: str) -> Conflict:
    who = holder or "another process"
    return Conflict(f"the workspace is served already, by {who}; use that server, or stop it first")
