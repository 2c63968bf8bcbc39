"""A disk whose power can be cut: ext4 on a loop device that keeps only what it was made to keep.

`python -m tests.support.power_cut HOME MOST` does all of `tests.support.durable_steps` on one. It is a process of its
own with a mount namespace of its own: when it ends, however it ends, its mounts and loop devices are gone.

What a cut leaves is what has reached the device: the file behind it is copied at a moment at which nothing is written
to it, and mounted in place of the disk, which replays the journal as at every start of a computer.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.cut_life import live_through

_NEW_MOUNTS = 0x00020000
_DIE_WITH_PARENT = 1
_MEBIBYTES = 64
_OPTIONS = "noauto_da_alloc,commit=600"
"""Nothing is flushed that was not asked for: without these, ext4 flushes some of it by itself, as others do not."""


def why_no_power_cut(home: Path) -> str:
    """Why no such disk can be had here; empty where one can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux, to mount a disk"
    if shutil.which("mkfs.ext4") is None:
        return "needs mkfs.ext4"
    tried = subprocess.run(
        [sys.executable, "-m", __name__, str(home), "0"], capture_output=True, text=True, timeout=120, check=False
    )
    return "" if tried.returncode == 0 else f"needs mounts and loop devices: {tried.stderr.strip()[-300:]}"


class UnflushedDisk:
    """A small ext4 file system in a file below `home`, mounted at `folder`."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "disk"
        self._home = home
        self._image = home / "disk.img"
        self._kept = 0
        self.folder.mkdir(parents=True)
        with self._image.open("wb") as file:
            file.truncate(_MEBIBYTES << 20)
        _run("mkfs.ext4", "-q", "-J", "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(self._image))
        self._mount(self._image)
        self._statistics = Path(f"/sys/dev/block/{_device(self.folder)}/stat")

    def close(self) -> None:
        """Unmount it."""
        _unmount(self.folder)

    def flushed(self, descriptor: int) -> None:
        """The disk knows by itself what was flushed."""

    def keep(self) -> dict[str, Path]:
        """What a power cut would leave now, as an image."""
        copy = self._home / f"{self._kept}.img"
        self._kept += 1
        while True:
            before = self._written()
            _run("cp", "--sparse=always", str(self._image), str(copy))
            if before is not None and before == self._written():
                return {"ext4": copy}
            time.sleep(0.01)

    @contextmanager
    def after_cut(self, left: Path) -> Iterator[None]:
        """Have in the folder, within the block, what a cut has left."""
        self._mount(left)
        try:
            yield
        finally:
            _unmount(self.folder)
            left.unlink()

    def _mount(self, image: Path) -> None:
        _run("mount", "-o", f"loop,{_OPTIONS}", str(image), str(self.folder))

    def _written(self) -> str | None:
        """How many writes the device has done; None while it does one."""
        fields = self._statistics.read_text().split()
        return fields[4] if fields[8] == "0" else None


def _device(folder: Path) -> str:
    number = folder.stat().st_dev
    return f"{os.major(number)}:{os.minor(number)}"


def _unmount(folder: Path) -> None:
    try:
        _run("umount", str(folder))
    except subprocess.CalledProcessError:  # something is still open; this process does not live long
        _run("umount", "-l", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _have_mounts_of_ones_own() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if libc.unshare(_NEW_MOUNTS) != 0:
        raise OSError(ctypes.get_errno(), "cannot have mounts of one's own")
    _run("mount", "--make-rprivate", "/")


def _main() -> None:
    home, most = Path(sys.argv[1]), int(sys.argv[2])
    _have_mounts_of_ones_own()
    disk = UnflushedDisk(home / f"disk-{os.getpid()}")
    try:
        if most:
            live_through(disk, most=most, say=lambda text: print(text, flush=True))
    finally:
        disk.close()
        shutil.rmtree(home / f"disk-{os.getpid()}", ignore_errors=True)


if __name__ == "__main__":
    _main()
