"""What contributors declare about themselves: optional, from short closed lists, and taken back at any time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select

from kinesphere.errors import InvalidInput
from storage.catalog.catalog import Catalog
from storage.catalog.tables import AttributeTable

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "handedness": ("left", "right", "both"),
    "age-band": ("18-29", "30-39", "40-49", "50-59", "60-69", "70+"),
    "region": ("AF", "AS", "EU", "NA", "OC", "SA"),
    "environment": (
        "kitchen", "living-room", "office", "workshop", "laboratory", "factory", "warehouse", "outdoors", "other",
    ),
}  # fmt: skip
"""Each attribute and its values. Regions are continents by their two letters; nothing finer is kept. The lists are
short on purpose: what is not in them cannot be written down about a person."""


@dataclass(frozen=True)
class Attributes:
    """What the contributors of a catalog have declared. Every method is one transaction."""

    catalog: Catalog

    def describe(self, contributor: str, values: Mapping[str, str]) -> None:
        """Keep what a contributor has declared and agreed to have kept, with the moment; it replaces what was there.

        Args:
            contributor: the pseudonymous id.
            values: by attribute, one of `ATTRIBUTES`.

        Raises:
            NotFound: the contributor is not enrolled.
            InvalidInput: an attribute or a value is in no list.
        """
        for attribute, value in values.items():
            _check_choice("value of " + checked_attribute(attribute), value, ATTRIBUTES[attribute])
        self.catalog.require_contributor(contributor)
        with self.catalog.writing() as session:
            for attribute, value in values.items():
                row = AttributeTable(
                    contributor=contributor, attribute=attribute, value=value, agreed_at=datetime.now(UTC)
                )
                session.merge(row)

    def forget(self, contributor: str, attributes: Iterable[str] = tuple(ATTRIBUTES)) -> None:
        """Delete what a contributor has declared, all of it by default.

        Args:
            contributor: the pseudonymous id.
            attributes: names of attributes.

        Raises:
            NotFound: the contributor is not enrolled.
            InvalidInput: there is no such attribute.
        """
        names = [checked_attribute(name) for name in attributes]
        self.catalog.require_contributor(contributor)
        of_contributor = AttributeTable.contributor == contributor
        with self.catalog.writing() as session:
            session.execute(delete(AttributeTable).where(of_contributor, AttributeTable.attribute.in_(names)))

    def all(self) -> dict[str, dict[str, str]]:
        """What has been declared: contributor, attribute, value.

        Returns:
            Contributors who declared nothing are left out.
        """
        found: dict[str, dict[str, str]] = {}
        query = select(AttributeTable).order_by(AttributeTable.contributor, AttributeTable.attribute)
        with self.catalog.reading() as session:
            for row in session.scalars(query):
                found.setdefault(row.contributor, {})[row.attribute] = row.value
        return found


def checked_attribute(name: str) -> str:
    """Return the name of an attribute.

    Raises:
        InvalidInput: there is none of this name.
    """
    _check_choice("attribute", name, tuple(ATTRIBUTES))
    return name


def _check_choice(kind: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidInput(f"'{value[:40]}' is no {kind}; choose from: {', '.join(choices)}")
