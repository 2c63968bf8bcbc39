"""What goes wrong inside of a step's process: it is killed before a change, or its clock is wrong."""

from __future__ import annotations

import datetime as datetimes
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
from sqlalchemy import Engine, event

from kinesphere.objects.store import Objects

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = ("os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir")
_JUMPS = (-400 * 86_400, -3600, -61, 61, 3600, 400 * 86_400)
"""Seconds by which a clock is wrong."""


def before_change(number: int, folder: Path, strike: Callable[[], None]) -> None:
    """Let something strike the process that calls this before its change of a number.

    A change is a call of Python's that changes files, a call that changes objects, ours or the
    store's, or a commit of the catalog.

    Args:
        number: of the change, from 0; if there are fewer, nothing happens.
        folder: below which files count.
        strike: what strikes.
    """
    lock, changes = threading.Lock(), 0

    def change(*_: Any) -> None:
        nonlocal changes
        with lock:
            if changes == number:
                strike()
            changes += 1

    def audit(name: str, arguments: tuple[Any, ...]) -> None:
        is_change = name in _CHANGES or (name == "open" and arguments[2] & _WRITING)
        if is_change and any(_is_below(folder, argument) for argument in arguments[:2]):
            change()

    for method in ("put", "put_if_absent", "delete", "delete_below"):
        _before(Objects, method, change)
    for call in ("put", "delete"):  # each object of those that are written together
        _before(obstore, call, change)
    event.listen(Engine, "commit", change)
    sys.addaudithook(audit)


def kill_self() -> None:
    """End this process as a crash does."""
    os.kill(os.getpid(), signal.SIGKILL)


def set_clock_wrong(drawn: random.Random) -> Callable[[], None]:
    """Let the clock of a process be wrong by minutes to a year, or jump while it works.

    There is no faketime here: what our modules and their libraries ask in Python, `time.time` and `datetime.now`, is
    shifted; what compiled code asks is not.
    """
    before, after, at = drawn.choice((0, *_JUMPS)), drawn.choice(_JUMPS), drawn.randint(0, 40)

    def arm() -> None:
        asked = 0
        real_time, real_time_ns = time.time, time.time_ns

        def shift() -> int:
            nonlocal asked
            asked += 1
            return after if asked > at else before

        class Kind(type):
            def __instancecheck__(cls, value: object) -> bool:
                return isinstance(value, datetimes.datetime)

        class Shifted(datetimes.datetime, metaclass=Kind):
            @classmethod
            def now(cls, tz: datetimes.tzinfo | None = None) -> datetimes.datetime:  # type: ignore[override]
                return datetimes.datetime.fromtimestamp(real_time() + shift(), tz)

        time.time = lambda: real_time() + shift()
        time.time_ns = lambda: real_time_ns() + shift() * 10**9
        for module in list(sys.modules.values()):
            name = getattr(module, "__name__", "").partition(".")[0]
            if name in _ROOMS and getattr(module, "datetime", None) is datetimes.datetime:
                module.datetime = Shifted  # type: ignore[attr-defined]

    return arm


_ROOMS = ("kinesphere", "storage", "capture", "pose", "annotate", "studio")


def _before(kind: Any, method: str, change: Callable[[], None]) -> None:
    original = getattr(kind, method)

    def call(*arguments: Any, **options: Any) -> Any:
        change()
        return original(*arguments, **options)

    setattr(kind, method, call)


def _is_below(folder: Path, path: object) -> bool:
    return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(str(folder))
