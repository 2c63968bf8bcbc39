"""A TCP proxy that counts what passes, breaks connections when told to, and can be slow."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class BreakingProxy:
    """Stands before a port of this computer. `received` counts the bytes that clients sent."""

    target: int
    cut_after: tuple[int, int] | None = None
    """Break a connection after a random number of sent bytes in this range."""
    pause: float = 0.0
    """Seconds of sleep for each 64 kB."""
    received: int = 0
    cuts: int = 0
    port: int = 0
    host: str = "127.0.0.1"
    _random: random.Random = field(default_factory=lambda: random.Random(5))

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def wait_for(self, received: int) -> None:
        """Wait until clients have sent so many bytes."""
        end = time.monotonic() + 20
        while self.received < received:
            assert time.monotonic() < end, f"only {self.received} bytes came"
            time.sleep(0.005)

    def accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((self.host, self.target))
            except OSError:
                client.close()
                continue
            budget = self._random.randint(*self.cut_after) if self.cut_after else None
            threading.Thread(target=self._pass_on, args=(client, server, budget), daemon=True).start()
            threading.Thread(target=self._pass_back, args=(server, client), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket, budget: int | None) -> None:
        with contextlib.suppress(OSError):
            while content := client.recv(65536):
                if budget is not None and len(content) >= budget:
                    server.sendall(content[:budget])
                    self.received += budget
                    self.cuts += 1
                    reset = struct.pack("ii", 1, 0)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                    break
                server.sendall(content)
                self.received += len(content)
                budget = None if budget is None else budget - len(content)
                time.sleep(self.pause)
        _close(client, server)

    def _pass_back(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := server.recv(65536):
                client.sendall(content)
        _close(server, client)


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextlib.contextmanager
def breaking_proxy(target: int, **settings: object) -> Iterator[BreakingProxy]:
    """Run a proxy before the port `target` while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = BreakingProxy(target, port=listening.getsockname()[1], **settings)  # type: ignore[arg-type]
        thread = threading.Thread(target=proxy.accept, args=(listening,), daemon=True)
        thread.start()
        yield proxy
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()
