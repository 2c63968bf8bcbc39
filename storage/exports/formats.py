"""The formats that a version can be exported in, by name."""

from __future__ import annotations

from collections.abc import Mapping

from kinesphere.errors import NotFound
from storage.exports.export_format import Format
from storage.exports.kinesphere_copy import KinesphereFormat
from storage.exports.lerobot import LeRobotFormat
from storage.exports.parquet_tables import ParquetFormat

FORMATS: Mapping[str, Format] = {
    "kinesphere": KinesphereFormat(),
    "lerobot": LeRobotFormat(),
    "parquet": ParquetFormat(),
}


def format_named(name: str) -> Format:
    """The format of a name.

    Raises:
        NotFound: there is none.
    """
    if name not in FORMATS:
        raise NotFound("export format", name, list(FORMATS))
    return FORMATS[name]
