"""Exports in the catalog: which copies of versions there are elsewhere, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import delete, select, update

from kinesphere.errors import NotFound
from storage.catalog.catalog import Catalog
from storage.catalog.records import ExportRecord, ExportState
from storage.catalog.tables import ExportTable


@dataclass(frozen=True)
class Exports:
    """The exports of a catalog. Every method is one transaction."""

    catalog: Catalog

    def begin(self, export: ExportRecord) -> None:
        """Enter an export, in place of one that was removed from there; one that goes on stays as it was entered.

        Args:
            export: what is going to be written.
        """
        replaced = delete(ExportTable).where(
            ExportTable.location == export.location,
            ExportTable.made_on == export.made_on,
            ExportTable.state == "removed",
            ExportTable.export != export.export,
        )
        with self.catalog.writing() as session:
            session.execute(replaced)
            if session.get(ExportTable, export.export) is None:
                session.add(ExportTable(**vars(export)))

    def change(self, export: str, state: ExportState, **columns: Any) -> None:
        """Enter what became of an export; `columns` are further fields of its record.

        Args:
            export: its id.
            state: what became of it.
            **columns: fields of `ExportRecord` by name, and their new values.
        """
        changed = update(ExportTable).where(ExportTable.export == export).values(state=state, **columns)
        with self.catalog.writing() as session:
            session.execute(changed)

    def forget(self, export: str) -> ExportRecord:
        """Strike an export off the list: somebody says that it is not there any more. Gives what was known of it.

        Args:
            export: its id.

        Returns:
            The record that was deleted.

        Raises:
            NotFound: there is none of this id.
        """
        known = self.all()
        for record in known:
            if record.export == export:
                with self.catalog.writing() as session:
                    session.execute(delete(ExportTable).where(ExportTable.export == export))
                return record
        raise NotFound("export", export, [record.export for record in known], "see: kinesphere exports")

    def all(self) -> list[ExportRecord]:
        """All exports, oldest first.

        Returns:
            Those that were removed among them.
        """
        query = select(ExportTable).order_by(ExportTable.made_at, ExportTable.export)
        with self.catalog.reading() as session:
            rows = session.scalars(query)
            return [
                ExportRecord(**{field.name: getattr(row, field.name) for field in fields(ExportRecord)}) for row in rows
            ]
