"""What keeps lives, and benches that run at the same time, apart: each has an address and mounts of its own."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

_NEW_MOUNTS = 0x00020000
"""CLONE_NEWNS."""


def own_address() -> str:
    """A loopback address that is this process's alone; where there is but one, that.

    A port that was free is not free for long: while a server is down, any connection of any process may get it, and who
    connects to a port of its own address where nobody listens may even meet itself.
    """
    number = os.getpid() % 2**22  # of which Linux has no more
    return f"127.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}" if sys.platform == "linux" else "127.0.0.1"


def have_own_mounts() -> None:
    """Let what this process mounts be seen by it and its children only; needs root on Linux, else nothing is done.

    A process that takes mounts of its own copies those that it sees, and holds them: a disk that is mounted again after
    a power cut would be the one that was cut, as long as such a copy is there.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNTS) == 0:
        subprocess.run(["mount", "--make-rprivate", "/"], check=False, capture_output=True)
