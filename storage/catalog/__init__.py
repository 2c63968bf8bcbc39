"""The catalog: the truth about people, tasks, states, segments and reviews, in SQLite or PostgreSQL."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storage.catalog.catalog import Catalog
    from storage.catalog.erasure_entries import Erasures
    from storage.catalog.export_entries import Exports
    from storage.catalog.failed_tries import MOST_TRIES, PROCESSING, FailedTries
    from storage.catalog.labels.annotations import Annotations, SegmentAgreement
    from storage.catalog.labels.label_log import MOST_SEGMENTS
    from storage.catalog.labels.label_operations import LabelOperations
    from storage.catalog.labels.label_queue import LabelQueue
    from storage.catalog.labels.label_records import (
        AnnotationRecord,
        AnnotationState,
        Annotator,
        Applied,
        Change,
        FinishedAnnotation,
        InvalidOperation,
        LabelConflict,
        Operation,
        OperationRecord,
        Progress,
        Purpose,
        Skip,
        VersionedSegment,
        WaitingLabelling,
    )
    from storage.catalog.people.account_records import Account, ApiToken, AuditEntry, Invitation, Role, WebSession
    from storage.catalog.people.accounts import Accounts
    from storage.catalog.people.attributes import Attributes
    from storage.catalog.people.audit import Audit
    from storage.catalog.people.invitations import Invitations
    from storage.catalog.people.sign_ins import SignIns
    from storage.catalog.records import (
        Arrivals,
        CheckRecord,
        CheckValue,
        DataToErase,
        Decision,
        ErasureRecord,
        Event,
        ExportRecord,
        ExportState,
        Failed,
        GoldRecord,
        Queue,
        Reason,
        RecordingRecord,
        ReviewLease,
        ReviewRecord,
        StoredTask,
        TrajectoryRecord,
        Verdict,
        WaitingReview,
    )
    from storage.catalog.reviews.gold_recordings import GoldRecordings
    from storage.catalog.reviews.review_leases import ReviewLeases
    from storage.catalog.reviews.reviews import Reviews
    from storage.catalog.throughput import Throughput

__all__ = [
    "MOST_SEGMENTS",
    "MOST_TRIES",
    "PROCESSING",
    "Account",
    "Accounts",
    "AnnotationRecord",
    "AnnotationState",
    "Annotations",
    "Annotator",
    "ApiToken",
    "Applied",
    "Arrivals",
    "Attributes",
    "Audit",
    "AuditEntry",
    "Catalog",
    "Change",
    "CheckRecord",
    "CheckValue",
    "DataToErase",
    "Decision",
    "ErasureRecord",
    "Erasures",
    "Event",
    "ExportRecord",
    "ExportState",
    "Exports",
    "Failed",
    "FailedTries",
    "FinishedAnnotation",
    "GoldRecord",
    "GoldRecordings",
    "InvalidOperation",
    "Invitation",
    "Invitations",
    "LabelConflict",
    "LabelOperations",
    "LabelQueue",
    "Operation",
    "OperationRecord",
    "Progress",
    "Purpose",
    "Queue",
    "Reason",
    "RecordingRecord",
    "ReviewLease",
    "ReviewLeases",
    "ReviewRecord",
    "Reviews",
    "Role",
    "SegmentAgreement",
    "SignIns",
    "Skip",
    "StoredTask",
    "Throughput",
    "TrajectoryRecord",
    "Verdict",
    "VersionedSegment",
    "WaitingLabelling",
    "WaitingReview",
    "WebSession",
]

_MODULES = {
    "catalog": ("Catalog",),
    "erasure_entries": ("Erasures",),
    "export_entries": ("Exports",),
    "failed_tries": ("MOST_TRIES", "PROCESSING", "FailedTries"),
    "labels.annotations": (
        "SegmentAgreement",
        "Annotations",
    ),
    "labels.label_log": ("MOST_SEGMENTS",),
    "labels.label_operations": ("LabelOperations",),
    "labels.label_queue": ("LabelQueue",),
    "labels.label_records": (
        "AnnotationRecord",
        "AnnotationState",
        "Annotator",
        "Applied",
        "Change",
        "FinishedAnnotation",
        "InvalidOperation",
        "LabelConflict",
        "Operation",
        "OperationRecord",
        "Progress",
        "Purpose",
        "Skip",
        "VersionedSegment",
        "WaitingLabelling",
    ),
    "people.account_records": (
        "Account",
        "ApiToken",
        "AuditEntry",
        "Invitation",
        "Role",
        "WebSession",
    ),
    "people.accounts": ("Accounts",),
    "people.attributes": ("Attributes",),
    "people.audit": ("Audit",),
    "people.invitations": ("Invitations",),
    "people.sign_ins": ("SignIns",),
    "records": (
        "Arrivals",
        "DataToErase",
        "CheckRecord",
        "CheckValue",
        "Decision",
        "ErasureRecord",
        "Event",
        "ExportRecord",
        "ExportState",
        "Failed",
        "GoldRecord",
        "Queue",
        "Reason",
        "RecordingRecord",
        "ReviewLease",
        "ReviewRecord",
        "StoredTask",
        "TrajectoryRecord",
        "Verdict",
        "WaitingReview",
    ),
    "reviews.gold_recordings": ("GoldRecordings",),
    "reviews.review_leases": ("ReviewLeases",),
    "reviews.reviews": ("Reviews",),
    "throughput": ("Throughput",),
}
"""The names by module. Each is loaded when it is first asked for: who only takes and gives records
needs no SQL, and loading it takes a third of a second."""
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


if not TYPE_CHECKING:  # so that mypy knows the names above and refuses others

    def __getattr__(name: str) -> Any:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
