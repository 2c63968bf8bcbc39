"""How much may lie in the folder of uploads: of one account, and of all, whether it still comes in or waits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.web.http.refusals import TooLarge, TooManyUploads, UploadsFull

_NAME = re.compile(r"(?P<upload>[0-9a-f]{32})\.(?P<owner>[0-9a-f]{32})\.[^.]+\.[^.]+\.(?P<length>open|\d+)")
"""As `storage.erasure.unfinished_files.upload_name` makes it."""


@dataclass(frozen=True)
class StoredUpload:
    """An upload that lies in the folder."""

    upload: str
    owner: str
    size: int
    """Bytes that it has, or will have where that is known."""


@dataclass(frozen=True)
class UploadQuota:
    """What may lie there. An upload counts from its beginning until it is a recording, is ended, or is forgotten."""

    uploads_each: int = 50
    bytes_each: int = 100 << 30
    uploads: int = 1000
    bytes_in_all: int = 500 << 30

    def check_new(self, stored: Sequence[StoredUpload], owner: str, length: int) -> None:
        """Hold a new upload to the quota.

        Args:
            stored: what lies there.
            owner: as in the names of files.
            length: in bytes; 0 where it is not known yet.

        Raises:
            TooManyUploads, TooLarge: its owner has too many, or they would be too large together.
            UploadsFull: there are too many of all, or they would be too large together.
        """
        own = [one for one in stored if one.owner == owner]
        if len(own) >= self.uploads_each:
            raise TooManyUploads(
                f"you have {len(own)} uploads here that are not handed in, and may have {self.uploads_each}; "
                "finish them or end them"
            )
        if sum(one.size for one in own) + length > self.bytes_each:
            raise TooLarge(
                f"your uploads that are not handed in would have over {self.bytes_each} bytes together; "
                "finish them or end them"
            )
        if len(stored) >= self.uploads or sum(one.size for one in stored) + length > self.bytes_in_all:
            raise UploadsFull("the server has no more room for uploads now; try again later, or tell its operator")

    def most_bytes(self, stored: Sequence[StoredUpload], upload: str, owner: str) -> int:
        """What an upload whose length was not told may have, beside all others.

        Args:
            stored: what lies there.
            upload: its id.
            owner: as in the names of files.

        Returns:
            Bytes.
        """
        others = [one for one in stored if one.upload != upload]
        own = sum(one.size for one in others if one.owner == owner)
        return max(0, min(self.bytes_each - own, self.bytes_in_all - sum(one.size for one in others)))


def stored_uploads(folder: Path) -> list[StoredUpload]:
    """The uploads that lie in a folder."""
    return list(_stored(folder)) if folder.is_dir() else []


def _stored(folder: Path) -> Iterator[StoredUpload]:
    for path in folder.iterdir():
        name = _NAME.fullmatch(path.name)
        if name is not None:
            try:
                size = path.stat().st_size if name["length"] == "open" else int(name["length"])
            except FileNotFoundError:
                continue  # just handed in
            yield StoredUpload(name["upload"], name["owner"], size)
