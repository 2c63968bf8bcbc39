"""Stops code before any single change to objects or the catalog, as `kill -9` would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kinesphere.objects.store import Objects
from storage.catalog import Catalog


class Killed(BaseException):
    """What a kill -9 is to the code: nothing after it runs."""


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, number: int) -> Iterator[list[str]]:
    """Stop before the change of this number to objects or the catalog, and count the changes."""
    changes: list[str] = []
    inner = {"put": "put_all"}
    """A change that is made by another is none of its own."""
    at_work: list[str] = []

    def counted(kind: type, name: str) -> None:
        original = getattr(kind, name)

        def change(self: Any, *arguments: Any, **options: Any) -> Any:
            if any(inner.get(outer) == name for outer in at_work):
                return original(self, *arguments, **options)
            if len(changes) == number:
                raise Killed
            changes.append(name)
            at_work.append(name)
            try:
                return original(self, *arguments, **options)
            finally:
                at_work.remove(name)

        context.setattr(kind, name, change)

    with monkeypatch.context() as context:
        for name in ("put", "put_all", "put_if_absent", "delete", "delete_below"):
            counted(Objects, name)
        counted(Catalog, "writing")
        yield changes
