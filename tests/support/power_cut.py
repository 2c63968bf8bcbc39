"""A disk that forgets what was not flushed when its power is cut: ext4 on a loop device, shut down without its log.

Needs root and loop devices: `why_no_power_cut` says what is lacking. Whatever works on the disk is a process of its
own, which is gone by the time that the disk is mounted again.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import shutil
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from kinesphere.objects.store import Objects

CUT = 77
"""Exit code of a process whose power was cut before it had done its work."""

_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN."""
_WITHOUT_LOG = 2
"""EXT4_GOING_FLAGS_NOLOGFLUSH: what the log was not made to keep is lost."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_MEBIBYTES = 64
_OPTIONS = "loop,noauto_da_alloc,commit=600"
"""Nothing is flushed that was not asked for: without these, ext4 flushes some of it by itself, as others do not."""


def why_no_power_cut(folder: Path) -> str:
    """Why no such disk can be had here; empty where one can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux, to mount a disk and cut its power"
    if shutil.which("mkfs.ext4") is None:
        return "needs mkfs.ext4"
    disk = UnflushedDisk(folder)
    try:
        disk.format()
        disk.mount()
        disk.unmount()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"needs loop devices, which this computer does not give: {error}"
    return ""


@dataclass
class UnflushedDisk:
    """A small ext4 file system in a file below `home`, mounted at `folder` while it is used."""

    home: Path
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder = self.home / "disk"
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def image(self) -> Path:
        """The file that the file system lies in."""
        return self.home / "disk.img"

    def format(self) -> None:
        """Make it empty."""
        with self.image.open("wb") as file:
            file.truncate(_MEBIBYTES << 20)
        _run("mkfs.ext4", "-q", "-O", "^has_journal", str(self.image))
        _run("tune2fs", "-j", "-J", "size=4", str(self.image))

    def mount(self) -> None:
        """Make it usable; after a cut the log is read, as at every start of a computer."""
        _run("mount", "-o", _OPTIONS, str(self.image), str(self.folder))

    def unmount(self) -> None:
        """Let go of it; everything is flushed, unless the power was cut."""
        _run("umount", str(self.folder))

    def save(self, copy: Path) -> None:
        """Copy the unmounted file system to another file."""
        _run("cp", "--sparse=always", str(self.image), str(copy))

    def load(self, copy: Path) -> None:
        """Make the unmounted file system what it was when it was saved."""
        _run("cp", "--sparse=always", str(copy), str(self.image))

    def cut_power(self) -> None:
        """Lose all that was not flushed. Whoever uses the disk only gets errors from then on."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            _shut_down(descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True)
class Outcome:
    """How work ended."""

    is_cut: bool
    changes: int
    """How many there were, if they were counted and it was not cut."""


def run_there(
    work: Callable[..., Any], *arguments: Any, cut_at: int | None = None, disk: Path | None = None
) -> Outcome:
    """Do some work in a process of its own, and cut the power of `disk` before a change of a number to it.

    A change is a call of Python's that changes files, a flush, a call that changes objects, or a commit of the catalog.

    Args:
        work: a function of a module, and what to call it with.
        cut_at: number of the change, from 0; the work is done to its end by default.
        disk: where the disk is mounted; only then changes are counted.

    Returns:
        Whether it was cut, and how many changes there were.

    Raises:
        AssertionError: the work failed; the text is its traceback.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.durable_steps"])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, cut_at, disk, work, arguments))
    process.start()
    theirs.close()
    try:
        answer = ours.recv()
    except EOFError:
        answer = 0  # nobody answers without power
    process.join()
    assert process.exitcode in (0, CUT), answer or f"it ended with {process.exitcode}"
    return Outcome(process.exitcode == CUT, answer)


def _work(answer: Any, cut_at: int | None, disk: Path | None, work: Callable[..., Any], arguments: Any) -> None:
    counted = _cut_before(cut_at, disk) if disk is not None else lambda: 0
    try:
        work(*arguments)
    except BaseException:  # noqa: BLE001  # told to the test, whatever it is
        answer.send(traceback.format_exc())
        os._exit(1)
    answer.send(counted())
    os._exit(0)  # nothing is done on the way out that a computer without power would not do


def _cut_before(number: int | None, disk: Path) -> Callable[[], int]:
    """Cut the power before the change of a number; gives what tells how many there were."""
    descriptor = os.open(disk, os.O_RDONLY)
    lock, changes = threading.Lock(), 0

    def change(*_: Any) -> None:
        nonlocal changes
        with lock:
            if changes == number:
                _shut_down(descriptor)
                os._exit(CUT)
            changes += 1

    def audit(name: str, arguments: tuple[Any, ...]) -> None:
        if name in ("os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir"):
            if any(_is_below(disk, argument) for argument in arguments):
                change()
        elif name == "open" and arguments[2] & _WRITING and _is_below(disk, arguments[0]):
            change()

    def before(kind: Any, method: str) -> None:
        original = getattr(kind, method)

        def call(*arguments: Any, **options: Any) -> Any:
            change()
            return original(*arguments, **options)

        setattr(kind, method, call)

    before(os, "fsync")
    for method in ("put", "put_if_absent", "delete", "delete_below"):
        before(Objects, method)
    event.listen(Engine, "commit", change)
    sys.addaudithook(audit)
    return lambda: changes


def _is_below(disk: Path, path: object) -> bool:
    return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(str(disk))


def _shut_down(descriptor: int) -> None:
    fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _WITHOUT_LOG))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
