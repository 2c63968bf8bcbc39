"""Starts `kinesphere` in a moment: a process that has imported everything waits, and each command is a fork of it.

A command is a process of its own all the same, with its own environment, output, signals and exit code. What it does
not show is what is imported when: tests of that start Python themselves.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.support.real_time import priority, set_priority

ROOT = Path(__file__).parents[2]
IMPORTED = (
    "annotate.agreement.agreement", "annotate.checks.checks", "annotate.duplicates.duplicates", "annotate.gate.review",
    "av", "capture.drafts.outbox", "capture.recorder.recorder", "cv2", "pose.extractors.mediapipe_extractor",
    "sqlalchemy.dialects.sqlite", "storage.shards.shard_writer", "storage.workspace", "studio.app",
    "studio.pipeline.extraction", "zarr",
)  # fmt: skip
"""What most commands need; nothing that starts threads when it is imported, as pyarrow does: a fork would lack them."""
COLUMNS = "300"
"""How wide commands print, which is decided when they are imported."""
_MESSAGE = 1 << 17


def run(words: Sequence[str], environment: Mapping[str, str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run `kinesphere WORDS` in this folder to its end.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was killed.
    """
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors, ours:
        with theirs, Path(os.devnull).open() as nothing:
            request = json.dumps({
                "words": words, "environment": dict(environment), "folder": str(Path.cwd()), "priority": priority(),
            }).encode()  # fmt: skip
            socket.send_fds(_waiting(), [request], [nothing.fileno(), out.fileno(), errors.fileno(), theirs.fileno()])
        with ours.makefile("r") as answers:
            process = int(answers.readline())
            ours.settimeout(seconds)
            try:
                code = int(answers.readline())
            except TimeoutError:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(words), seconds) from None
        for file in (out, errors):
            file.seek(0)
        return subprocess.CompletedProcess(list(words), code, out.read(), errors.read())


@cache
def _waiting() -> socket.socket:
    """The connection to the process that waits."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.preloaded_command", str(theirs.fileno())],
            cwd=ROOT,
            env=os.environ | {"COLUMNS": COLUMNS},
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C is for the tests
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(requests: socket.socket) -> None:
    """Fork for every request. Returns in the forks, ready to be the command; ends when nobody can ask any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those who keep a command end unseen
    while True:
        message, descriptors, *_ = socket.recv_fds(requests, _MESSAGE, 4)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            requests.close()
            return _keep(message, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _keep(message: bytes, descriptors: Sequence[int]) -> None:
    """Fork once more; the parent tells which process that is and how it ends, the child returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, answer = descriptors
    process = os.fork()
    if process:
        os.write(answer, f"{process}\n".encode())
        _, status = os.waitpid(process, 0)
        os.write(answer, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    request = json.loads(message)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for descriptor in descriptors:
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path += [path for path in paths if path and path not in sys.path]
    os.chdir(request["folder"])
    set_priority(request["priority"])
    sys.argv = ["kinesphere", *request["words"]]


if __name__ == "__main__":
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as in the command, and because threads are not forked
    for module in IMPORTED:
        importlib.import_module(module)
    from studio.app import main

    tasks = Path("/proc/self/task")
    assert not tasks.exists() or len(list(tasks.iterdir())) == 1, "a fork would lack these threads"
    gc.freeze()  # the forks need not go through all of it, which would copy it
    _serve(socket.socket(fileno=int(sys.argv[1])))
    sys.modules["__main__"].__package__ = None  # or usage would be told of `python -m tests.support.preloaded_command`
    main()
