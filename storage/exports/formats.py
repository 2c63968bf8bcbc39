"""The formats that a version can be exported in, by name."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import NotFound
from .format import Format
from .kinesphere import KinesphereFormat
from .lerobot import LeRobotFormat
from .parquet import ParquetFormat

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
