"""Files of labels: what every format can do, the one that is built in, and those that installed packages add.

A package adds a format by an entry point in the group `kinesphere.label_formats`: its name is the format's, and it is a
class without arguments that does what `LabelFormat` says. It runs in our process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from kinesphere.errors import InvalidInput
from storage.extension_points import ExtensionPoint
from storage.recordings.segment import Segment


class LabelFormat(Protocol):
    """One way to keep the segments of a recording in a file. Times must survive it to the millisecond."""

    def read(self, path: Path) -> list[Segment]:
        """The segments of a file, which hold no frames yet; `checked_segment` puts their edges at frames.

        Args:
            path: of the file.

        Raises:
            InvalidInput: it is no such file; the text names the line.
        """

    def write(self, segments: Iterable[Segment], path: Path) -> None:
        """Write segments into a file, in place of what was there.

        Args:
            segments: of one recording, in any order.
            path: of the file.
        """


class JsonLines:
    """A JSON object a line, with the fields of `Segment` but for the frames; times are int64 ns."""

    def read(self, path: Path) -> list[Segment]:
        """As `LabelFormat.read`; fields that it does not know are passed over."""
        found = []
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if not line.strip():
                continue
            try:
                found.append(_SEGMENT.validate_json(line))
            except ValidationError as error:
                problem = error.errors(include_url=False)[0]
                where = ".".join(str(part) for part in problem["loc"])
                raise InvalidInput(
                    f"line {number} of {path} is no segment: {f'{where}: ' if where else ''}{problem['msg']}"
                ) from error
        return [Segment(**{name: getattr(segment, name) for name in _FIELDS}) for segment in found]

    def write(self, segments: Iterable[Segment], path: Path) -> None:
        """As `LabelFormat.write`."""
        rows = ({name: getattr(segment, name) for name in _FIELDS} for segment in segments)
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


_SEGMENT = TypeAdapter(Segment)
_FIELDS = ("start_ns", "end_ns", "label", "track", "object", "hand", "outcome", "note")

BUILT_IN: Mapping[str, Callable[[], LabelFormat]] = {"jsonl": JsonLines}
LABEL_FORMATS = ExtensionPoint("label format", "kinesphere.label_formats", BUILT_IN)


def label_format_named(name: str) -> LabelFormat:
    """A format of label files, built in or of an installed package.

    Args:
        name: of the format.

    Returns:
        What reads and writes it.

    Raises:
        NotFound: there is none; the text names those that there are.
        Conflict: two packages have one of this name, or one has taken the name of one that is built in.
    """
    return LABEL_FORMATS.load(name)()
