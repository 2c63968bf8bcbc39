"""Consent: what a contributor may agree to, each scope by itself; how they agreed; what that covers and until when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from kinesphere.errors import InvalidInput

Scope = Literal["train", "share_keypoints", "share_video"]
ConsentMethod = Literal["typed", "ticked", "flag"]
"""`typed` at the prompt, `ticked` on the page, or the flag `--yes`, by which a script says that they agreed."""

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

    Args:
        names: of scopes, in any order.

    Returns:
        A tuple without repetitions.

    Raises:
        InvalidInput: there is no scope of a name.
    """
    given = set(names)
    unknown = sorted(given - set(SCOPES))
    if unknown:
        raise InvalidInput(f"'{unknown[0]}' is no scope of consent; choose from: {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in given)


@dataclass(frozen=True)
class Agreement:
    """How a contributor agreed to a task's consent text, and to what: what a consent record is made from."""

    method: ConsentMethod
    signed: str = ""
    """The name or initials that they typed."""
    scopes: tuple[Scope, ...] | None = None
    """What they agreed to; None is what the task requires."""
    expires_at: datetime | None = None
    """Until when, if they said so; the task may set an earlier end."""


@dataclass(frozen=True)
class Coverage:
    """What a consent covers."""

    scopes: tuple[Scope, ...]
    expires_at: datetime | None = None
    """Until when; None is without an end."""

    def lack(self, needs: Iterable[Scope], now: datetime) -> str | None:
        """Why it does not cover what is needed at a moment, in a few words; None if it does."""
        if self.expires_at is not None and self.expires_at <= now:
            return "consent has expired"
        lacking = set(needs) - set(self.scopes)
        missing = [scope for scope in SCOPES if scope in lacking]
        return f"no consent to {', '.join(missing)}" if missing else None
