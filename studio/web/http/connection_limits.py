"""What a connection may do before there is a request: how long it may be silent, and how large its headers may be.

uvicorn times idle connections only, and has no limit on headers with httptools: a few kilobytes a minute from one
computer would hold every connection of a server (https://en.wikipedia.org/wiki/Slowloris_(cyber_attack)).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Literal, cast

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from kinesphere.errors import InvalidInput
from studio.web.access.rate_limits import network_of
from studio.web.monitoring.server_metrics import ServerMetrics

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits of each connection, and of their number. Browsers send some 2 KB of headers, and open six connections."""

    header_bytes: int = 32_768
    """Of a request's first line and its headers together."""
    headers: int = 100
    header_seconds: float = 20.0
    """From a connection's beginning, or the end of the last answer, until the next request's headers are whole."""
    unread_seconds: float = 60.0
    """For which an answer may wait without the other side reading of it, or a refused body without ending."""
    connections: int = 1000
    from_one_address: int = 300
    """Of an address that is no proxy of ours, /64 with IPv6: also a room full of people shares one."""


def http_server(
    app: FastAPI,
    *,
    proxies: Sequence[str] = (),
    limits: ConnectionLimits | None = None,
    **options: Any,
) -> uvicorn.Server:
    """A server that holds connections to limits.

    Args:
        app: what answers.
        proxies: addresses or networks of proxies. Only these are believed when they say whom they ask for
            (`X-Forwarded-For`), and whether by https (`X-Forwarded-Proto`).
        limits: of connections.
        options: more for uvicorn's configuration.

    Raises:
        InvalidInput: a proxy is no address.
    """
    networks = proxy_networks(proxies)

    class Connection(LimitedConnection):
        connection_limits = limits or ConnectionLimits()
        proxies = networks
        metrics = getattr(app.state, "metrics", None)

    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        log_level="warning",
        log_config=None,  # what uvicorn logs goes where everything goes
        access_log=False,
        server_header=False,
        proxy_headers=bool(networks),
        forwarded_allow_ips=[str(network) for network in networks],
        **options,
    )
    server = uvicorn.Server(config)
    if Connection.metrics is not None:
        Connection.metrics.connections = server.server_state.connections
    return server


def proxy_networks(proxies: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks, e.g. `127.0.0.1` and `10.0.0.0/24`, read.

    Raises:
        InvalidInput: one is none.
    """
    try:
        return tuple(ip_network(proxy) for proxy in proxies)
    except ValueError as error:
        raise InvalidInput(
            f"--proxy: {error}; give an address like 127.0.0.1, or a network like 10.0.0.0/24"
        ) from error


class LimitedConnection(HttpToolsProtocol):
    """One connection, closed when it goes over a limit."""

    connection_limits = ConnectionLimits()
    proxies: tuple[Network, ...] = ()
    metrics: ServerMetrics | None = None
    _deadline: asyncio.TimerHandle | None = None
    """When the next request's headers must be whole; None while a request is answered."""
    _unread: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _parsed_bytes = 0
    _unsent_bytes = 0
    _part: Literal["nothing", "headers", "body"] = "nothing"
    """What of a request is coming in."""
    _is_refused = False
    _answering: RequestResponseCycle | None = None
    """The request that is or was answered; uvicorn's `cycle` is the last that came."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or close it at once where there are too many."""
        super().connection_made(transport)
        if self._is_one_too_many():
            self._is_refused = True
            self._count_refusal("TooManyConnections")
            transport.abort()
            return
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget all timers, and end the answer under way."""
        self._cancel_deadline()
        self._end_answer()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; while headers are not whole, count it."""
        if self._is_refused:
            return
        super().data_received(data)
        if self._part == "headers" and not self._is_refused:
            self._header_bytes += len(data)
            # What came at once with the end of an earlier body is counted too.
            if self._header_bytes > self.connection_limits.header_bytes + (1 << 18 if self._cycle() is not None else 0):
                self._refuse()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._part = "headers"
        self._header_bytes = self._parsed_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._count(len(name) + len(value) + 4)
        if not self._is_refused:
            super().on_header(name, value)
            if len(self.headers) > self.connection_limits.headers:
                self._refuse()

    def on_headers_complete(self) -> None:
        """The request can be answered: nothing is awaited but its body, which has limits of its own."""
        self._part = "body"
        if not self._is_refused:
            self._cancel_deadline()
            super().on_headers_complete()
            if not self.pipeline:
                self._answering = self._cycle()

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a body."""
        self._part = "nothing"
        if not self._is_refused:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer has been sent; await the next request."""
        if self.pipeline:
            self._answering = self.pipeline[-1][0]
        super().on_response_complete()
        if not self._is_answering():
            self._await_headers()

    def pause_writing(self) -> None:
        """The other side does not read; it may not keep us for ever."""
        super().pause_writing()
        self._unsent_bytes = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(self.connection_limits.unread_seconds, self._abort_if_unread)

    def resume_writing(self) -> None:
        """The other side reads again."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def _await_headers(self) -> None:
        self._cancel_deadline()
        limits = self.connection_limits
        if not self.transport.is_closing():
            seconds = limits.unread_seconds if self._part == "body" else limits.header_seconds
            self._deadline = self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if self._part == "headers":
            self._count_refusal("SlowHeaders")
            self._answer(408, b"Request Timeout")
        else:
            self._abort()

    def _abort_if_unread(self) -> None:
        before, self._unsent_bytes = self._unsent_bytes, self.transport.get_write_buffer_size()
        if self._unsent_bytes >= before:
            self._abort()
        else:
            self._unread = self.loop.call_later(self.connection_limits.unread_seconds, self._abort_if_unread)

    def _abort(self) -> None:
        """Close at once; neither the kernel nor the one who answers may go on with what nobody reads."""
        self._end_answer()
        at_once = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.transport.abort()

    def _end_answer(self) -> None:
        """Tell the answer under way that nobody reads it; of several requests at once uvicorn tells only the last."""
        if self._answering is not None:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cycle(self) -> RequestResponseCycle | None:
        """The last request and its answer; uvicorn's type does not say that there is none at first."""
        return cast("RequestResponseCycle | None", self.cycle)

    def _is_answering(self) -> bool:
        cycle = self._cycle()
        return cycle is not None and not cycle.response_complete

    def _count(self, size: int) -> None:
        self._parsed_bytes += size
        if self._parsed_bytes > self.connection_limits.header_bytes:
            self._refuse()

    def _count_refusal(self, reason: str) -> None:
        if self.metrics is not None:
            self.metrics.count_refusal(reason)

    def _refuse(self) -> None:
        self._count_refusal("LargeHeaders")
        self._answer(431, b"Request Header Fields Too Large")

    def _answer(self, status: int, phrase: bytes) -> None:
        """Tell why and close: nothing that still comes is looked at."""
        if self._is_refused:
            return
        self._is_refused = True
        self._cancel_deadline()
        if self._is_answering():
            self._abort()  # an answer is under way, and this would stand in the middle of it
        else:
            self.transport.write(b"HTTP/1.1 %d %b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % (status, phrase))
            self.transport.close()

    def _is_one_too_many(self) -> bool:
        """`connections` holds this one already."""
        if len(self.connections) > self.connection_limits.connections:
            return True
        host = self.client[0] if self.client is not None else ""
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if any(address in network for network in self.proxies):
            return False
        own = network_of(host)
        others = (getattr(connection, "client", None) for connection in self.connections)
        count = sum(1 for client in others if client is not None and network_of(client[0]) == own)
        return count > self.connection_limits.from_one_address


def raise_file_limit() -> None:
    """Let this process have as many files and connections open as the system allows: often only 1024 at first."""
    import resource  # of Unix

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
