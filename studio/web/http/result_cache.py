"""Results kept in memory: computed once however many ask at the same time, and dropped when too many are held."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class _Place(Generic[Value]):
    """One result, or none yet; who computes it holds the lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.found: tuple[Value] | None = None


class ResultCache(Generic[Value]):
    """The results that were asked for last, by a key that names them for ever. For use by several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._places: OrderedDict[str, _Place[Value]] = OrderedDict()

    def get(self, key: str, compute: Callable[[], Value]) -> Value:
        """The result, computed if it is not held. If that fails, the next who asks computes anew."""
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            while len(self._places) > self._most:
                self._places.popitem(last=False)
        with place.lock:
            if place.found is None:
                place.found = (compute(),)
            return place.found[0]
