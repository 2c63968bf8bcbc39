"""What every export format can do. A new one is a file beside this, and a line in `storage.exports.FORMATS`."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from kinesphere.objects.store import Objects
from storage.exports.export_content import Content, OnProgress


class Format(Protocol):
    """One way to write a version elsewhere. All keys are below the target, which is the export's own."""

    def check(self, content: Content) -> None:
        """Raise `InvalidInput` if this cannot be written so, before anything is."""

    def write(self, content: Content, target: Objects, on_progress: OnProgress) -> None:
        """Write a version, last what makes readers find it. Cut off and repeated, it ends the same."""

    def erase(self, target: Objects, content: Content | None, *, held: int, dataset: str, receipt: str) -> bool:
        """Take away version `held`. Repeated it ends the same.

        Args:
            content: the version without those who left, if anything of it is left.

        Returns:
            Whether that version is there now: a format that would have to write everything anew leaves it to people.
        """

    def held(self, target: Objects) -> pa.Table:
        """Whose episodes can be read there: the columns `recording` and `contributor`, strings."""
