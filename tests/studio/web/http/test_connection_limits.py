"""Connections that are silent, slow or talk too much before there is a request, over real sockets."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from kinesphere.errors import InvalidInput
from storage.workspace import Workspace
from studio.web.access.rate_limits import network_of
from studio.web.http.connection_limits import ConnectionLimits, http_server
from studio.web.http.page_rendering import static_digest
from tests.support.studio_server import Studio, running_studio

LIMITS = ConnectionLimits(header_seconds=1.0, unread_seconds=1.0, from_one_address=10)
SECONDS = 20.0
"""Within which a connection is closed, on a machine that may be busy."""


@pytest.fixture
def studio(workspace: Workspace) -> Iterator[Studio]:
    with running_studio(workspace, connections=LIMITS) as running:
        yield running


def connect(studio: Studio, from_address: str = "127.0.0.1") -> socket.socket:
    parts = urlsplit(studio.url)
    assert parts.hostname is not None and parts.port is not None
    return socket.create_connection((parts.hostname, parts.port), SECONDS, (from_address, 0))


def answer_to(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    found = bytearray()
    try:
        while part := connection.recv(65_536):
            found += part
    except ConnectionResetError:
        pass
    return bytes(found)


def test_who_says_nothing_is_let_go(studio: Studio) -> None:
    with connect(studio) as silent:
        assert answer_to(silent) == b""


@pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
def test_headers_that_come_a_byte_at_a_time_are_not_awaited_for_ever(studio: Studio, begun: bytes) -> None:
    with connect(studio) as slow:
        slow.sendall(begun)
        started = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() - started < SECONDS:
                slow.sendall(b"a")
                time.sleep(0.1)
        assert time.monotonic() - started < SECONDS


def test_a_second_request_on_a_connection_has_no_more_time_than_the_first(studio: Studio) -> None:
    with connect(studio) as slow:
        slow.sendall(b"GET /sign-in HTTP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
        slow.sendall(b"GET /sign-in HTTP/1.1\r\nHost: x\r\n")
        assert b"HTTP/1.1 408" in answer_to(slow)


@pytest.mark.parametrize(
    "headers",
    [
        b"X: " + b"a" * 400_000,
        b"X: " + b"a" * 40_000 + b"\r\n\r\n",
        b"".join(b"X-%d: a\r\n" % number for number in range(101)) + b"\r\n",
        b"".join(b"X-%d: %b\r\n" % (number, b"a" * 1000) for number in range(60)) + b"\r\n",
    ],
    ids=["one without end", "one too large", "too many", "too large together"],
)
def test_headers_that_are_too_large_or_too_many_are_refused(studio: Studio, headers: bytes) -> None:
    with connect(studio) as connection:
        connection.sendall(b"GET /sign-in HTTP/1.1\r\nHost: x\r\n")
        connection.sendall(headers)
        assert answer_to(connection)[:13] in (b"HTTP/1.1 431 ", b"")
    with studio.client(token=None) as client:
        assert client.get("/sign-in", headers={"X": "a" * 20_000}).status_code == 200
        assert client.get("/sign-in", params={"next": "a" * 40_000}).status_code == 431


def test_who_reads_no_answer_is_let_go(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    with connect(studio) as deaf:
        path = f"/static/{static_digest()}/js/label/timeline_painter.js"
        deaf.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 1000)
        hung_up = select.poll()
        hung_up.register(deaf, select.POLLHUP)
        assert hung_up.poll(SECONDS * 1000), "it was let go though it never read"
    assert not [record for record in caplog.records if record.levelname == "ERROR"], "nor does the answer go on"


def test_one_address_has_so_many_connections_and_others_are_served_meanwhile(studio: Studio) -> None:
    with ExitStack() as open_ones:
        silent = [open_ones.enter_context(connect(studio, "127.0.0.7")) for _ in range(12)]
        transport = httpx.HTTPTransport(local_address="127.0.0.8")
        with httpx.Client(base_url=studio.url, transport=transport, timeout=SECONDS) as client:
            assert client.get("/sign-in").status_code == 200
        assert answer_to(silent[-1]) == b"" and answer_to(silent[-2]) == b""


@pytest.mark.parametrize("proxy", ["*", "evil.example", "10.0.0.1/8", ""])
def test_a_proxy_that_is_no_address_is_refused(studio: Studio, proxy: str) -> None:
    with pytest.raises(InvalidInput, match="give an address like"):
        http_server(studio.app, proxies=[proxy])


def test_a_sender_with_a_network_of_their_own_is_one_sender() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:10.0.0.1") == network_of("10.0.0.1") != network_of("10.0.0.2")
    assert network_of("unknown") == "unknown"
