"""One server at a time on a catalog, whichever process or machine it is started from."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from kinesphere.errors import Conflict, StorageFailed
from storage.catalog.catalog import Catalog
from storage.catalog.connection import database_errors

_KEY = int.from_bytes(hashlib.sha256(b"serve").digest()[:8], "big", signed=True)
_LONGEST_NAME = 63
"""Of an application, to PostgreSQL."""
_LOOK_SECONDS = 1.0
"""After which a server looks whether its lock is still there."""
_NOTICED_SECONDS = 3 * _LOOK_SECONDS
"""For which a new server waits: whoever was cut off from the database, and so lost the lock, has noticed by then."""
_SILENT_MILLISECONDS = 10_000
"""For which the database may not answer before the connection counts as broken."""


class ServerLock:
    """Held by the server of a catalog. In PostgreSQL it is lost with its connection, and then taken again."""

    def __init__(self) -> None:
        self._lost: Conflict | None = None
        self._stop: Callable[[], None] = lambda: None

    def when_lost(self, stop: Callable[[], None]) -> None:
        """Say what is to be called when another server has taken the lock, in whatever thread.

        Args:
            stop: ends the server; `check` then says why.
        """
        self._stop = stop
        if self._lost is not None:
            stop()

    def check(self) -> None:
        """Nothing while the lock is held.

        Raises:
            Conflict: another server has it; the text names its process and computer.
        """
        if self._lost is not None:
            raise self._lost

    def lose(self, taken: Conflict) -> None:
        """Note that another has taken it, and stop the server.

        Args:
            taken: says who.
        """
        self._lost = Conflict(f"the connection to the catalog was broken, and meanwhile {taken}")
        self._stop()


@contextmanager
def server_lock(catalog: Catalog) -> Iterator[ServerLock]:
    """Be the only server of a catalog within the block. A server that dies makes way at once.

    Two would each hold locks that the other does not see, and accept the same video twice at once.

    Args:
        catalog: of the workspace that is served.

    Yields:
        The lock: the block serves, and stops when the lock is lost.

    Raises:
        Conflict: another server is at it; the text names its process and computer.
        StorageFailed: the database cannot be reached.
    """
    name = f"process {os.getpid()} on {socket.gethostname()}"
    locked = _file_locked if catalog.engine.dialect.name == "sqlite" else _database_locked
    with locked(catalog.engine, name[:_LONGEST_NAME]) as lock:
        yield lock


@contextmanager
def _file_locked(engine: Engine, name: str) -> Iterator[ServerLock]:
    holder = Path(f"{engine.url.database}.serve.holder")
    lock = FileLock(f"{engine.url.database}.serve.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise _refusal(holder.read_text(encoding="utf-8") if holder.exists() else "") from error
    try:
        holder.write_text(name, encoding="utf-8")
        yield ServerLock()
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


@contextmanager
def _database_locked(engine: Engine, name: str) -> Iterator[ServerLock]:
    # Whoever is cut off hears nothing: without a limit, for as long as TCP repeats itself.
    patience = {"connect_timeout": _SILENT_MILLISECONDS // 1000, "tcp_user_timeout": _SILENT_MILLISECONDS}
    own = create_engine(engine.url, hide_parameters=True, poolclass=NullPool, connect_args=patience)
    lock, end = ServerLock(), threading.Event()
    watching = threading.Thread(target=_keep, args=(own, name, _acquired(own, name), lock, end), daemon=True)
    watching.start()
    try:
        time.sleep(_NOTICED_SECONDS)
        yield lock
    finally:
        end.set()
        watching.join()
        own.dispose()


def _keep(engine: Engine, name: str, connection: Connection | None, lock: ServerLock, end: threading.Event) -> None:
    """Look every second whether the connection is there that has the lock, and else take it again; None is none."""
    while not end.wait(_LOOK_SECONDS):
        try:
            if connection is None:
                connection = _acquired(engine, name)
            else:
                connection.execute(text("SELECT 1"))
        except DBAPIError:
            _let_go(connection)
            connection = None
        except StorageFailed:
            continue  # nothing can be entered meanwhile
        except Conflict as taken:
            lock.lose(taken)
            break
    _let_go(connection)


def _let_go(connection: Connection | None) -> None:
    if connection is not None:
        with suppress(DBAPIError):
            connection.close()


def _acquired(engine: Engine, name: str) -> Connection:
    """A connection that has the lock.

    Raises:
        Conflict: another has it.
        StorageFailed: the database cannot be reached.
    """
    with database_errors(engine.url.render_as_string(hide_password=True)):
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            connection.execute(text("SELECT set_config('application_name', :name, false)"), {"name": name})
            if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}).scalar():
                return connection
            holder = connection.execute(
                text(
                    "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE granted AND "
                    "locktype = 'advisory' AND datname = current_database() AND "
                    "((classid::bigint << 32) | objid::bigint) = :key"
                ),
                {"key": _KEY},
            ).scalar()
        except BaseException:
            _let_go(connection)
            raise
        _let_go(connection)
    raise _refusal(str(holder or ""))


def _refusal(holder: str) -> Conflict:
    who = holder or "another process"
    return Conflict(f"the workspace is served already, by {who}; use that server, or stop it first")
