"""A proxy before an S3 server that fails as object stores do: 500, 503, answers cut short, lines cut before and after.

Run with `python -m benchmarks.faults.failing_store ADDRESS PORT` before the server there; it prints its own port. It is
told how often to fail by `PUT /.faults/RATE/SEED`.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.faults.life_isolation import own_address

FAILURES = ("500", "503", "500 after", "truncated", "cut before", "cut after", "slow")
"""`after` the store has done what was asked; `truncated` is half of its answer."""
_ERROR = (
    "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
)
_BODY = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>a fault of the bench</Message></Error>"


@dataclass
class FailingStore:
    """The proxy; each request is a connection of its own."""

    target: tuple[str, int]
    rate: float = 0.0
    failures: int = 0
    _drawn: random.Random = field(default_factory=random.Random)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, or fail to."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
            if head.startswith(b"PUT /.faults/"):
                _, rate, seed = head.split(b" ", 2)[1].decode().rsplit("/", 2)
                self.rate, self._drawn = float(rate), random.Random(int(seed))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                failure = self._drawn.choice(FAILURES) if self._drawn.random() < self.rate else ""
                self.failures += bool(failure)
                writer.write(await self._answer(head, body, failure))
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()

    async def _answer(self, head: bytes, body: bytes, failure: str) -> bytes:
        match failure:
            case "500":
                return _error("500 Internal Server Error", "InternalError")
            case "503":
                return _error("503 Slow Down", "SlowDown")
            case "cut before":
                return b""
            case "slow":
                await asyncio.sleep(0.05)
        answer = await self._forward(head, body)
        match failure:
            case "500 after":
                return _error("500 Internal Server Error", "InternalError")
            case "cut after":
                return b""
            case "truncated":
                return answer[: len(answer) // 2]
        return answer

    async def _forward(self, head: bytes, body: bytes) -> bytes:
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        asked = b"\r\n".join([lines[0], b"Connection: close", *lines[1:]])
        reader, writer = await asyncio.open_connection(*self.target)
        writer.write(asked + body)
        answer = await reader.read()
        writer.close()
        head, separator, rest = answer.partition(b"\r\n\r\n")
        kept = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"connection:", b"keep-alive:"))]
        return b"\r\n".join([kept[0], b"Connection: close", *kept[1:]]) + separator + rest


def set_failing(port: int, rate: float, seed: int) -> None:
    """Tell the proxy how often to fail.

    Args:
        port: of the proxy.
        rate: share of requests, from 0 to 1.
        seed: of its choices.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("PUT", f"/.faults/{rate}/{seed}")
    connection.getresponse().read()
    connection.close()


@contextmanager
def failing_store(target: tuple[str, int]) -> Iterator[int]:
    """A proxy before a store, as long as the block runs.

    Args:
        target: address and port of the store, on this computer.

    Yields:
        The proxy's port.
    """
    command = [sys.executable, "-m", "benchmarks.faults.failing_store", target[0], str(target[1])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def s3_server() -> Iterator[tuple[str, int]]:
    """A real S3 server (moto) in a process of its own.

    Yields:
        Its address and port.
    """
    import socket

    host = own_address()
    with socket.create_server((host, 0)) as free:
        port: int = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 600
            while True:
                with contextlib.suppress(OSError):
                    socket.create_connection((host, port), timeout=1).close()
                    break
                assert time.monotonic() < until, "the S3 server did not start"
                time.sleep(0.1)
            yield host, port
        finally:
            process.kill()


def new_bucket(server: tuple[str, int], name: str) -> None:
    """Make a bucket on the S3 server at an address and port."""
    connection = http.client.HTTPConnection(*server, timeout=60)
    authorization = (
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    )
    connection.request("PUT", f"/{name}", headers={"Authorization": authorization})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()
    connection.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


def _error(status: str, code: str) -> bytes:
    body = _BODY.format(code=code)
    return _ERROR.format(status=status, length=len(body), body=body).encode()


async def _main(target: tuple[str, int]) -> None:
    server = await asyncio.start_server(FailingStore(target).serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main((sys.argv[1], int(sys.argv[2]))))
