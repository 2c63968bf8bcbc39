"""How well the annotators of a workspace agree, from what several of them have labelled of the same recordings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from annotate.agreement.agreement import AgreementReport, agreement, to_manifest
from storage.catalog import Catalog
from storage.catalog.labels.double_annotations import double_annotations


def measure_agreement(
    catalog: Catalog, *, task: str | None = None, recordings: Collection[str] | None = None
) -> AgreementReport:
    """Compare what people have labelled twice; see `annotate.agreement.agreement` and `double_annotations`.

    Args:
        catalog: of the workspace.
        task: only of this one; None is all.
        recordings: only of these; None is all.

    Returns:
        How well the annotators agree, by task.

    Raises:
        NotFound: there is no such task.
    """
    if task is not None:
        catalog.task(task)
    return agreement(double_annotations(catalog, task=task, recordings=recordings))


def for_manifest(catalog: Catalog) -> Callable[[Sequence[str]], Mapping[str, Any] | None]:
    """What `storage.publishing.publish` asks for: the agreement on the recordings that enter, without anybody's name.

    Args:
        catalog: of the workspace.

    Returns:
        A function from the recordings that enter to the plain JSON of the manifest; it gives None where none of them
        was labelled by two people.
    """

    def of(recordings: Sequence[str]) -> Mapping[str, Any] | None:
        report = measure_agreement(catalog, recordings=recordings)
        return to_manifest(report) if report.tasks else None

    return of
