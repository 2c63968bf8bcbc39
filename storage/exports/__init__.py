"""Exports: a version written elsewhere, in a format of ours or others', and entered where an erasure finds it."""

from .content import Content, OnProgress
from .erasing import forget_export, left_in_exports, settle_exports
from .format import Format
from .formats import FORMATS
from .making import export_version

__all__ = [
    "FORMATS",
    "Content",
    "Format",
    "OnProgress",
    "export_version",
    "forget_export",
    "left_in_exports",
    "settle_exports",
]
