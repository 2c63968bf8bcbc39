"""Videos that say what lens took them, as phones write it: in the boxes of QuickTime's metadata."""

from __future__ import annotations

import struct
from pathlib import Path

KEY = b"com.apple.quicktime.camera.focal_length.35mm_equivalent"
OTHER = (b"com.apple.quicktime.camera.lens_model", 1, b"iPhone 13 back camera 5.1mm f/1.6")
WHOLE_NUMBER, TEXT, FLOAT = 21, 1, 23


def box(name: bytes, *content: bytes) -> bytes:
    """A box of ISO/IEC 14496-12."""
    inside = b"".join(content)
    return struct.pack(">I4s", 8 + len(inside), name) + inside


def metadata_box(kind: int, value: bytes, *, has_version: bool = False) -> bytes:
    """A box `meta` with a lens's name and its focal length."""
    items = (OTHER, (KEY, kind, value))
    names = (struct.pack(">I4s", 8 + len(name), b"mdta") + name for name, _, _ in items)
    keys = box(b"keys", struct.pack(">II", 0, len(items)), *names)
    values = (
        box(struct.pack(">I", number), box(b"data", struct.pack(">II", kind, 0), value))
        for number, (_, kind, value) in enumerate(items, start=1)
    )
    handler = box(b"hdlr", struct.pack(">II", 0, 0), b"mdta", bytes(13))
    return box(b"meta", bytes(4) if has_version else b"", handler, keys, box(b"ilst", *values))


def with_metadata(source: Path, path: Path, metadata: bytes, *, in_track: bool = True) -> Path:
    """Copy an MP4 whose index comes last, with a box more in its track or in its index."""
    content = bytearray(source.read_bytes())
    index, track = content.rindex(b"moov") - 4, content.rindex(b"trak") - 4
    grown = (index, track) if in_track else (index,)
    place = grown[-1] + struct.unpack_from(">I", content, grown[-1])[0]
    for start in grown:
        struct.pack_into(">I", content, start, struct.unpack_from(">I", content, start)[0] + len(metadata))
    content[place:place] = metadata
    path.write_bytes(content)
    return path
