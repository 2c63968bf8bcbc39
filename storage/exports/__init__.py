"""Exports: a version written elsewhere, in a format of ours or others', and entered where an erasure finds it.

How a version goes out: `export_writer.py` enters the export in the catalog, lets the format's exporter write, and
checks that the version was not withdrawn meanwhile. `exporters.py` says what an exporter is and which there are: a
file for each (`kinesphere_copy.py`, `lerobot.py`, `parquet_tables.py`), and those of installed packages. All of them
get the same `export_content.py`. `export_target.py` is the place it goes to, with a note that says what it is;
`export_erasure.py` takes people out of it again.
"""

from storage.exports.export_content import Content, OnProgress
from storage.exports.export_erasure import forget_export, remains_in_exports, settle_exports
from storage.exports.export_writer import export_version
from storage.exports.exporters import EXPORTERS, Exporter

__all__ = [
    "EXPORTERS",
    "Content",
    "Exporter",
    "OnProgress",
    "export_version",
    "forget_export",
    "remains_in_exports",
    "settle_exports",
]
