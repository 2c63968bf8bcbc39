"""What is kept of a recording to know it again, and where."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from zipfile import BadZipFile

import numpy as np

from annotate.duplicates.change_fingerprint import ChangeFingerprint
from annotate.duplicates.motion_fingerprint import MotionFingerprint
from annotate.duplicates.video_fingerprint import VideoFingerprint
from kinesphere.errors import CorruptObject


@dataclass(frozen=True)
class Fingerprint:
    """How a recording's pictures look, how the person moves, and how the pictures change."""

    video: VideoFingerprint
    motion: MotionFingerprint
    change: ChangeFingerprint = field(default_factory=ChangeFingerprint.none)

    def to_bytes(self) -> bytes:
        """As an npz file, which releases that know less read too: they leave out what they do not know.

        Returns:
            The object to store; equal fingerprints give equal bytes.
        """
        content = io.BytesIO()
        np.savez_compressed(
            content,
            times_ns=self.video.times_ns,
            hashes=self.video.hashes,
            mirrored=self.video.mirrored,
            signal=self.motion.signal,
            change=self.change.signal,
        )
        return content.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, key: str) -> Fingerprint:
        """Read a stored fingerprint.

        Args:
            content: of the object.
            key: of the object, for messages.

        Returns:
            The fingerprint; one that an earlier release stored has no changes.

        Raises:
            CorruptObject: it is not a fingerprint.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                video = VideoFingerprint(arrays["times_ns"], arrays["hashes"], arrays["mirrored"])
                change = ChangeFingerprint(arrays["change"]) if "change" in arrays else ChangeFingerprint.none()
                return cls(video, MotionFingerprint(arrays["signal"]), change)
        except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
            raise CorruptObject(f"object '{key}' is no fingerprint; process the recording again") from error


def fingerprint_key(recording: str) -> str:
    """Key of a recording's fingerprint, beside its video, so that what erases the one erases the other."""
    return f"recordings/{recording}/fingerprint.npz"
