"""Contributors in the catalog: who is enrolled, each under a pseudonymous id."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from kinesphere.errors import NotFound
from kinesphere.names import checked_name
from storage.catalog.tables import NOBODY, ContributorTable
from storage.catalog.transactions import Transactions


class ContributorEntries(Transactions):
    """What the catalog does with contributors."""

    def add_contributor(self, contributor: str) -> bool:
        """Enrol a contributor.

        Args:
            contributor: a pseudonymous id for them.

        Returns:
            Whether they are new.

        Raises:
            InvalidInput: the id is not a name as `kinesphere.names.checked_name` allows it.
        """
        checked_name("contributor", contributor)
        with self.writing() as session:
            if session.get(ContributorTable, contributor) is not None:
                return False
            session.add(ContributorTable(contributor=contributor, created_at=datetime.now(UTC)))
            return True

    def contributors(self) -> list[str]:
        """Everybody who is enrolled.

        Returns:
            Their ids, sorted.
        """
        with self.reading() as session:
            names = session.scalars(select(ContributorTable.contributor).order_by(ContributorTable.contributor))
            return [name for name in names if name != NOBODY]

    def require_contributor(self, contributor: str) -> None:
        """Make sure a contributor is enrolled.

        Args:
            contributor: their id.

        Raises:
            NotFound: they are not.
        """
        known = self.contributors()
        if contributor not in known:
            hint = f"enrol a new person with: kinesphere contributor add {contributor}"
            raise NotFound("contributor", contributor, known, hint)
