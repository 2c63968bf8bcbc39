"""Single keys from the terminal, without Enter, while something else runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Keyboard:
    """The keys pressed since it was last asked. Does not wait for one."""

    def pressed(self) -> str:
        """The characters typed since the last call, lower case; empty if there are none."""
        if sys.platform == "win32":
            import msvcrt

            typed = ""
            while msvcrt.kbhit():
                typed += msvcrt.getwch()
            return typed.lower()
        import os
        import select

        typed = ""
        while select.select([sys.stdin], [], [], 0)[0]:
            more = os.read(sys.stdin.fileno(), 64)
            if not more:
                break
            typed += more.decode(errors="ignore")
        return typed.lower()


@contextmanager
def keyboard() -> Iterator[Keyboard]:
    """Take single keys within the block; afterwards the terminal is as it was. Ctrl-C keeps its meaning."""
    if sys.platform == "win32":
        yield Keyboard()
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield Keyboard()
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
