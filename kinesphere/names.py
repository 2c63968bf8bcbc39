"""Names that people choose (tasks, contributors, datasets) become folders and keys: they are held to one form."""

import re
import secrets
from datetime import UTC, datetime

from kinesphere.errors import InvalidInput

_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?", re.IGNORECASE)
_RECORDING_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")


def checked_name(kind: str, name: str) -> str:
    """Return `name` if it can be the name of a `kind`.

    Args:
        kind: what is named, such as "dataset", for the error.
        name: the name.

    Returns:
        The name.

    Raises:
        InvalidInput: it is empty, too long, or holds anything but letters, digits, `-` and `_`.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"'{name}' cannot name a {kind}: use 1 to 64 letters, digits, '-' or '_', "
            "beginning and ending with a letter or digit"
        )
    return name


def new_recording_id() -> str:
    """A fresh id that sorts by time: UTC date, time and 32 random bits.

    Returns:
        The id, e.g. `20261123-094500-1f2e3d4c`.
    """
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def is_recording_id(text: str) -> bool:
    """Whether `text` has the form of a recording's id.

    Args:
        text: any text.

    Returns:
        True where it is of this form; there need be no such recording.
    """
    return _RECORDING_ID.fullmatch(text) is not None
