"""Work for engines that does harm, each in its own way, in a real process."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from kinesphere.errors import InvalidInput
from pose.engines.engine import OnFrame

GIGABYTE = 1 << 30


def square(number: int, on_frame: OnFrame) -> int:
    """Does no harm: the square, with a frame for each unit."""
    for _ in range(number):
        on_frame()
    return number * number


def who(_item: object, _on_frame: OnFrame) -> int:
    """The number of the process."""
    return os.getpid()


def after_frames(item: tuple[int, float], on_frame: OnFrame) -> int:
    """So many frames, each taking so long."""
    frames, seconds = item
    for _ in range(frames):
        time.sleep(seconds)
        on_frame()
    return frames


def crash(number: int, _on_frame: OnFrame) -> None:
    """Ends by a signal, as a decoder with a fault in it does."""
    os.kill(os.getpid(), number)


def leave(code: int, _on_frame: OnFrame) -> None:
    """Ends the process."""
    os._exit(code)


def refuse(words: str, _on_frame: OnFrame) -> None:
    """Says what is wrong, as our own code does."""
    raise InvalidInput(words)


def stumble(words: str, _on_frame: OnFrame) -> None:
    """Raises what nobody has foreseen."""
    raise ValueError(words)


def eat(most: int, on_frame: OnFrame) -> None:
    """Takes memory, and uses it, up to more than anybody allows; of a kind that the system does not limit."""
    held = []
    for _ in range(most >> 23):
        held.append(mmap.mmap(-1, 8 << 20))
        held[-1].write(bytes(8 << 20))
        on_frame()


def ask_for(size: int, _on_frame: OnFrame) -> int:
    """Asks for memory at once that it may never use."""
    return len(bytearray(size))


def hold(size: int, _on_frame: OnFrame) -> int:
    """Keeps memory from one piece of work to the next, and tells which process does."""
    _KEPT.append(np.ones(size, np.uint8))
    return os.getpid()


def sleep(seconds: float, _on_frame: OnFrame) -> None:
    """Does nothing, for long."""
    time.sleep(seconds)


def hang(note: Path, _on_frame: OnFrame) -> None:
    """Hangs in C code that holds the interpreter's lock, with a child of its own that does, too."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    partial = note.with_suffix(".partial")
    partial.write_text(f"{os.getpid()} {child.pid}")
    partial.rename(note)
    ctypes.PyDLL(None).sleep(600)


def print_much(_item: object, _on_frame: OnFrame) -> str:
    """Prints what would end up among what the command prints."""
    print("looking ...", flush=True)
    os.write(1, b"still looking ...\n")
    return "done"


SEGFAULT = int(signal.SIGSEGV)
_KEPT: list[object] = []
