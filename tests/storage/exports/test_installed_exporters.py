"""Export formats of installed packages: found by name, and their copies never escape an erasure."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kinesphere.errors import Conflict, NotFound
from storage.catalog import Exports
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.exports import export_version
from storage.exports.export_target import NOTE
from storage.exports.exporters import ExporterFailed
from storage.publishing.publish import publish
from storage.workspace import Workspace
from tests.support.extension_package import install_extension
from tests.support.populated_workspaces import populate

CODE = """
import pyarrow as pa
import pyarrow.csv as csv
from io import BytesIO

class Csv:
    def check(self, content): pass

    def write(self, content, target, on_progress):
        out = BytesIO()
        csv.write_csv(content.opened().episodes.select(["recording", "contributor"]), out)
        target.put("episodes.csv", out.getvalue())

    def erase(self, target, content, *, version, dataset, receipt):
        if content is None:
            return False
        self.write(content, target, None)
        return True

    def contributors(self, target):
        return csv.read_csv(BytesIO(target.get("episodes.csv")))

class Careless(Csv):
    def erase(self, target, content, *, version, dataset, receipt):
        return False

class Raising(Csv):
    def write(self, content, target, on_progress):
        super().write(content, target, on_progress)
        raise ValueError("the table is not there")
"""
POINTS = {"csv": "Csv", "careless": "Careless", "raising": "Raising", "absent": "Nothing"}


@pytest.fixture
def kitchen(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A version "kitchen" of anna and ben, where a package of exporters is installed."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(
        str(install_extension(site, "acme-exports", CODE, {"kinesphere.exporters": POINTS}, "1.2"))
    )
    populate(workspace, {"anna": 2, "ben": 1})
    publish(workspace, "kitchen")
    return workspace


def test_a_format_of_an_installed_package_is_written_and_made_again_by_an_erasure(
    kitchen: Workspace, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    made = export_version(kitchen, "kitchen", None, out, format_name="csv")
    assert (made.state, made.format) == ("made", "csv") and b"anna" in (out / "episodes.csv").read_bytes()
    assert any("holds 2 episodes of theirs" in trace.what for trace in find_traces(kitchen, "anna"))
    erase(kitchen, "anna", who="eve")
    assert find_traces(kitchen, "anna") == []
    text = (out / "episodes.csv").read_bytes()
    assert b"ben" in text and b"anna" not in text


def test_what_a_careless_exporter_leaves_is_deleted(kitchen: Workspace, tmp_path: Path) -> None:
    export_version(kitchen, "kitchen", None, tmp_path / "out", format_name="careless")
    erase(kitchen, "anna", who="eve")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [NOTE]
    assert [record.state for record in Exports(kitchen.catalog).all()] == ["removed"]


def test_the_copy_of_a_package_that_is_gone_is_deleted_by_an_erasure(kitchen: Workspace, tmp_path: Path) -> None:
    export_version(kitchen, "kitchen", None, tmp_path / "out", format_name="csv")
    shutil.rmtree(tmp_path / "site" / "acme_exports-1.2.dist-info")
    assert any("cannot be read: no export format named 'csv'" in trace.what for trace in find_traces(kitchen, "anna"))
    erase(kitchen, "anna", who="eve")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [NOTE]
    assert find_traces(kitchen, "anna") == []


def test_what_an_exporter_wrote_before_it_failed_is_entered_and_erased(kitchen: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ExporterFailed, match=r"raising of acme-exports 1\.2 failed: ValueError: the table is not"):
        export_version(kitchen, "kitchen", None, tmp_path / "out", format_name="raising")
    assert [record.state for record in Exports(kitchen.catalog).all()] == ["writing"]
    erase(kitchen, "anna", who="eve")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [NOTE]


def test_errors_name_the_formats_that_there_are(kitchen: Workspace, tmp_path: Path) -> None:
    known = "absent, careless, csv, kinesphere, lerobot, parquet, raising"
    with pytest.raises(NotFound, match=rf"no export format named 'cvs' \(there is: {known}\)"):
        export_version(kitchen, "kitchen", None, tmp_path / "out", format_name="cvs")
    with pytest.raises(ExporterFailed, match=r"absent of acme-exports 1\.2 failed: AttributeError"):
        export_version(kitchen, "kitchen", None, tmp_path / "out", format_name="absent")


def test_names_that_clash_are_refused(kitchen: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.mkdir()
    points = {"parquet": "Csv", "csv": "Csv"}
    monkeypatch.syspath_prepend(
        str(install_extension(other, "other-exports", CODE, {"kinesphere.exporters": points}, "3"))
    )
    with pytest.raises(Conflict, match="parquet of other-exports 3 has the name of a built-in one"):
        export_version(kitchen, "kitchen", None, tmp_path / "out", format_name="parquet")
    with pytest.raises(Conflict, match=r"csv of (other|acme)-exports .*, and csv of (other|acme)-exports"):
        export_version(kitchen, "kitchen", None, tmp_path / "out", format_name="csv")
