"""The process that reads objects for a forked one; `forked_reads.py` starts it, and it ends with who started it."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import threading
from multiprocessing.connection import Connection

from kinesphere.errors import KinesphereError
from kinesphere.objects.store import Objects

_READS = ("get", "get_part", "exists", "size", "keys", "folders")


def serve(control: int) -> None:
    """Answer what comes through connections until the other side has closed the one that hands them over.

    Args:
        control: number of the socket through which connections come.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started it
    url, raw = pickle.load(sys.stdin.buffer)
    objects = Objects(url, raw)
    with socket.socket(fileno=control) as incoming:
        while True:
            message, handles, _, _ = socket.recv_fds(incoming, 1, 1)
            if not message:
                os._exit(0)  # what threads still read is for nobody
            threading.Thread(target=_answer, args=(objects, Connection(handles[0])), daemon=True).start()


def _answer(objects: Objects, connection: Connection) -> None:
    while True:
        try:
            method, arguments, options = connection.recv()
        except (EOFError, OSError):
            return
        assert method in _READS, f"{method} is none of {_READS}"
        try:
            answer = False, getattr(objects, method)(*arguments, **options)
        except KinesphereError as error:
            answer = True, error
        connection.send(answer)
