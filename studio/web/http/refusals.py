"""Why a request is refused: nobody is signed in, a role is missing, it came too often, or it is too large."""

from __future__ import annotations

from kinesphere.errors import InvalidInput, KinesphereError

REFUSAL = "kinesphere.refusal"
"""In the scope of a request: why it was refused, in a fixed word, to be counted."""


class NotSignedIn(KinesphereError):
    """Nobody has proved who they are."""

    def __init__(self) -> None:
        super().__init__("sign in first")


class NotAllowed(KinesphereError):
    """Somebody asks for what their roles do not cover."""

    def __init__(self, account: str, what: str) -> None:
        super().__init__(f"'{account}' may not {what}; ask your operator")


class TooOften(KinesphereError):
    """Something was tried more often than is allowed."""

    def __init__(self, what: str, wait_seconds: float) -> None:
        self.wait_seconds = max(1, round(wait_seconds))
        super().__init__(f"{what} too often; try again in {self.wait_seconds} s")


class TooLarge(InvalidInput):
    """More bytes than the server takes."""


class TooManyUploads(KinesphereError):
    """An account has begun more uploads than it may have."""


class UploadsFull(KinesphereError):
    """All accounts together have used up what the operator gives uploads."""
