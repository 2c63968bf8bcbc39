"""Reads of an object store in a forked process: made by a process of its own, since obstore hangs in a fork.

obstore's threads run in the process that used it first and do not come along into a fork; PyTorch's `DataLoader`
forks its workers on Linux by default. So a forked process starts one Python process beside it, which reads for it and
ends with it. Each of its threads that waits has a connection of its own.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from kinesphere.errors import StorageFailed
from kinesphere.objects.process_state import Requests, is_forked

_SERVE = "import sys; sys.path[:] = {path!r}; from kinesphere.objects.read_server import serve; serve({control})"


@dataclass(eq=False)
class _Reader:
    """The process that reads, and connections to it that wait for the next thread."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    idle: list[Connection] = field(default_factory=list)


class _Readable(Protocol):
    """What of `Objects` is needed to read them elsewhere."""

    @property
    def url(self) -> str: ...
    @property
    def raw(self) -> Any: ...
    @property
    def requests(self) -> Requests: ...
    @property
    def forked(self) -> ForkedReads: ...
    def local_path(self, key: str) -> Path | None: ...


_Method = TypeVar("_Method", bound=Callable[..., Any])


class ForkedReads:
    """Calls methods of `Objects` in a process beside this one, where this one was forked."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._starting = threading.Lock()
        self._reader: _Reader | None = None

    def call(self, url: str, raw: Any, method: str, *arguments: Any, **options: Any) -> Any:
        """What a method gives; may be called in several threads.

        Args:
            url: of the place.
            raw: its store.
            method: of `Objects`; one that reads.
            arguments: its arguments.
            options: those by name.

        Returns:
            What it returns.

        Raises:
            KinesphereError: what it raises.
            StorageFailed: the process that reads could not be started, or has ended.
        """
        with _after_fork:
            if self._process != os.getpid():
                self._begin()  # a fork may have caught the lock closed; the parent's reader is not ours
        try:
            connection = self._connection(url, raw)
            connection.send((method, arguments, options))
            is_error, found = connection.recv()
        except (OSError, EOFError) as error:
            raise StorageFailed(
                f"the process that reads {url} for this forked one has ended ({error!r}); start workers with "
                "DataLoader(..., multiprocessing_context='spawn'), which need none"
            ) from error
        assert self._reader is not None, "a connection came from it"
        self._reader.idle.append(connection)
        if is_error:
            raise found
        return found

    def _connection(self, url: str, raw: Any) -> Connection:
        with self._starting:
            if self._reader is None:
                self._reader = _started(url, raw)
            if self._reader.idle:
                return self._reader.idle.pop()
            ours, theirs = socket.socketpair()
            with theirs:
                socket.send_fds(self._reader.control, [b"+"], [theirs.fileno()])
            return Connection(ours.detach())

    def __reduce__(self) -> tuple[Any, ...]:
        return ForkedReads, ()


def _started(url: str, raw: Any) -> _Reader:
    content = pickle.dumps((url, raw))
    control, theirs = socket.socketpair()
    with theirs:
        code = _SERVE.format(path=sys.path, control=theirs.fileno())
        process = subprocess.Popen(
            [sys.executable, "-c", code], pass_fds=[theirs.fileno()], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
    assert process.stdin is not None, "it is a pipe"
    with process.stdin:
        process.stdin.write(content)  # not on the command line, where everybody could read credentials
    return _Reader(process, control)


def read_beside(method: _Method) -> _Method:
    """Let a method of `Objects` that reads run in the process beside a forked one, where objects are no files.

    Args:
        method: to be called there with the same arguments.

    Returns:
        The method, which in all other processes is as it was.
    """

    @wraps(method)
    def read(place: _Readable, *arguments: Any, **options: Any) -> Any:
        if not is_forked() or place.local_path("") is not None:
            return method(place, *arguments, **options)
        if method.__name__ in ("get", "get_part"):
            place.requests.add()
        return place.forked.call(place.url, place.raw, method.__name__, *arguments, **options)

    return cast(_Method, read)


_after_fork = threading.Lock()


def _renew() -> None:
    global _after_fork
    _after_fork = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
