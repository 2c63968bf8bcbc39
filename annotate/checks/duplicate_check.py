"""The check for duplicates. It needs all other recordings, so `annotate.duplicates` measures it after the others."""

from __future__ import annotations

from annotate.checks.evidence import Evidence
from annotate.checks.findings import Check, Finding
from storage.tasks.criteria import AtMost, Limit


def _not_from_evidence(evidence: Evidence, limit: Limit) -> Finding | None:
    """Nothing: one recording alone does not tell; see `annotate.duplicates.duplicates.find_duplicates`."""
    return None


DUPLICATE_CHECK = Check(
    "duplicate", AtMost, _not_from_evidence,
    "share of the recording that shows the same take as another one, or of the other that this one shows, whichever is "
    "larger: by hashes of pictures and by the motion, also mirrored, cut, re-timed or from another account",
    "record a take of your own, once",
)  # fmt: skip
