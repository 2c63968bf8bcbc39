"""Exports: a version written elsewhere, in a format of ours or others', and entered where an erasure finds it."""

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
