"""Transactions of an open catalog, one that reads and one that writes, and its rows as records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from storage.catalog.connection import database_errors, one_at_a_time
from storage.catalog.tables import Table

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True)
class Transactions:
    """An open database. What the catalog does with one kind of entry builds on this."""

    engine: Engine

    def close(self) -> None:
        """Give the database's connections back."""
        self.engine.dispose()

    @contextmanager
    def lock(self, purpose: str) -> Iterator[None]:
        """Do something that nobody else does meanwhile on this catalog; see `connection.one_at_a_time`.

        Args:
            purpose: name of the lock, one word.

        Yields:
            Once nobody else holds it.

        Raises:
            Conflict: somebody else has held it for an hour.
            StorageFailed: the database cannot be reached.
        """
        with one_at_a_time(self.engine, purpose):
            yield

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads, for modules of the catalog.

        Yields:
            Its session.

        Raises:
            StorageFailed: the database cannot be reached.
        """
        with database_errors(self._shown), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that writes, for modules of the catalog; it is undone if the block raises.

        Yields:
            Its session.

        Raises:
            StorageFailed: the database cannot be reached, or is full.
        """
        with (
            database_errors(self._shown),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @cached_property
    def _writer(self) -> Engine:
        return self.engine.execution_options(writes=True)

    @cached_property
    def _shown(self) -> str:
        return self.engine.url.render_as_string(hide_password=True)


def record_of(kind: type[T], row: Table) -> T:
    """The dataclass `kind` from the row of the table that has its fields as columns."""
    return kind(**{field.name: getattr(row, field.name) for field in fields(kind)})
