"""SignedIn at a real terminal, for tests of what a command asks."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from typing import Self

from tests.support.command import Command


class Person:
    """SignedIn at a terminal of 100 columns in front of a `kinesphere` command."""

    def __init__(self, command: Command, *words: str) -> None:
        self._terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        environment = command.environment | {"TERM": "xterm-256color", "COLUMNS": "100"}
        self.process = subprocess.Popen(
            command.arguments(*words),
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C reaches it
        )
        os.close(theirs)
        self.seen = ""

    def reads(self, text: str, seconds: float = 60) -> None:
        """Wait until something is on the screen that was not there when they last typed."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, f"'{text}' never came:\n{self.seen[-3000:]}"
            if select.select([self._terminal], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self._terminal, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    assert text in self.seen, self.seen[-3000:]

    def types(self, keys: str) -> None:
        self.seen = ""
        os.write(self._terminal, keys.encode())

    def ends(self) -> int:
        """Wait until the command has ended; gives its exit code."""
        end = time.monotonic() + 60
        while self.process.poll() is None:
            assert time.monotonic() < end
            if select.select([self._terminal], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self._terminal, 65536).decode(errors="replace")
                except OSError:
                    self.process.wait(timeout=60)
        return self.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._terminal)
        self.process.kill()
        self.process.wait()
