"""What the catalog gives and takes can be had without the database's library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "module",
    [
        "storage.catalog.records",
        "storage.catalog.labels.label_records",
        "storage.catalog.people.account_records",
    ],
)
def test_records_are_importable_without_sql(module: str) -> None:
    code = f"import sys, {module}; print('sqlalchemy' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


def test_the_catalog_hands_out_records_without_sql_and_every_name_that_it_offers() -> None:
    code = (
        "import sys, storage.catalog as catalog; catalog.CheckRecord, catalog.Role, catalog.Annotator; "
        "print('sqlalchemy' in sys.modules, all(getattr(catalog, name) is not None for name in catalog.__all__))"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["False", "True"]


def test_the_catalog_has_no_other_names() -> None:
    import storage.catalog

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        storage.catalog.Nothing  # type: ignore[attr-defined]  # noqa: B018
