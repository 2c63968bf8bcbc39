"""A process as those that look at strangers' videos, which never comes to an end: `... NOTE`."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from studio.web.uploads.limited_process import Limits

if __name__ == "__main__":
    Limits(cpu_seconds=600, wall_seconds=600, written_bytes=1000).apply()
    Path(sys.argv[1]).write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(600)  # holding the interpreter
