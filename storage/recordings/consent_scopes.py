"""What a contributor may consent to, each by itself: the scopes of a consent record, of a task and of a version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from kinesphere.errors import InvalidInput

Scope = Literal["train", "share_keypoints", "share_video"]

SCOPES: Mapping[Scope, str] = {
    "train": "models may be trained on the recording",
    "share_keypoints": "the points found on body and hands may be given to those who train",
    "share_video": "the video itself may be given to those who train",
}
"""Every scope, and what it means in words."""

IMPLIED: tuple[Scope, ...] = ("train", "share_keypoints")
"""What a consent without scopes covers. A face is in the video, so that is never taken to be agreed to."""


def checked_scopes(names: Iterable[str]) -> tuple[Scope, ...]:
    """Scopes by name, each once, in the order of `SCOPES`.

    Raises:
        InvalidInput: there is no scope of a name.
    """
    given = set(names)
    unknown = sorted(given - set(SCOPES))
    if unknown:
        raise InvalidInput(f"'{unknown[0]}' is no scope of consent; choose from: {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in given)


def why_not_covered(
    given: Iterable[Scope], expires_at: datetime | None, needs: Iterable[Scope], now: datetime
) -> str | None:
    """Why a consent does not cover what is needed at a moment, in a few words; None if it does."""
    if expires_at is not None and expires_at <= now:
        return "consent has expired"
    held = set(given)
    missing = [scope for scope in SCOPES if scope in set(needs) - held]
    return f"no consent to {', '.join(missing)}" if missing else None
