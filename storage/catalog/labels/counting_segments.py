"""Which segments count where several people have labelled a recording."""

from __future__ import annotations

from sqlalchemy import ColumnElement, case, func, or_, select

from storage.catalog.tables import AnnotationTable, SegmentTable


def counts() -> ColumnElement[bool]:
    """Whether a segment counts: it was made in code, or belongs to the annotation that decides for its recording.

    That is the adjudication, if it is done; else the annotation that was done first. One that is open, or skipped,
    never does.
    """
    table = AnnotationTable
    first = (case((table.purpose == "adjudicate", 0), else_=1), table.done_at, table.annotation)
    place = func.row_number().over(partition_by=table.recording, order_by=first).label("place")
    ranked = select(table.annotation, place).where(table.state == "done").subquery()
    deciding = select(ranked.c.annotation).where(ranked.c.place == 1)
    return or_(SegmentTable.annotation.is_(None), SegmentTable.annotation.in_(deciding))
