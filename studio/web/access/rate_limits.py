"""Rate limits: how often something may be tried, by whom, counted in memory."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from studio.web.http.refusals import TooOften

_MOST_KEYS = 10_000


def network_of(address: str) -> str:
    """What one sender has at their command: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


@dataclass(frozen=True)
class RateLimit:
    """A bucket of tokens for each key: `burst` at once, and one more every `seconds_each`."""

    what: str
    burst: int
    seconds_each: float
    clock: Callable[[], float] = time.monotonic
    _full_at: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str) -> None:
        """Take one token.

        Raises:
            TooOften: there is none left for this key.
        """
        with self._lock:
            now = self.clock()
            full_at = max(now, self._full_at.pop(key, now)) + self.seconds_each
            wait = full_at - now - self.burst * self.seconds_each
            if wait > 1e-9:
                self._full_at[key] = full_at - self.seconds_each
                raise TooOften(self.what, wait)
            self._full_at[key] = full_at
            while len(self._full_at) > _MOST_KEYS:
                self._full_at.popitem(last=False)

    def give_back(self, key: str) -> None:
        """Let a try count for nothing."""
        with self._lock:
            if key in self._full_at:
                self._full_at[key] -= self.seconds_each
