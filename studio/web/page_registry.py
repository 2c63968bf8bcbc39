"""All pages of the studio, in the order of the navigation: the built-in ones, then those of installed packages."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint

from kinesphere.errors import InvalidInput
from storage.extension_points import ExtensionPoint, described
from studio.web.page import Page

INSTALLED = ExtensionPoint[Page]("page", "kinesphere.pages", {})
"""Entry points: each names a `Page` of an installed package."""

BUILT_IN = (
    "labelling.label_routes",
    "uploads.tus",
    "playing.media_routes",
    "access.sign_in",
    "labelling.label_pages",
    "labelling.adjudication_pages",
    "reviewing.review_page",
    "contributing.my_recordings",
    "operating.dashboard",
    "operating.task_pages",
    "access.people_page",
    "uploads.browser_recorder",
    "labelling.proposal_routes",
    "contributing.recording_routes",
    "monitoring.monitoring_pages",
)
"""The modules below `studio.web` that have a `PAGE`. A request looks for its route in this order, so what is asked for
most often comes first: an annotator's keys wait for their route."""


def built_in_pages() -> tuple[Page, ...]:
    """The studio's own pages."""
    return tuple(import_module(f"studio.web.{module}").PAGE for module in BUILT_IN)


def installed_pages() -> tuple[Page, ...]:
    """The pages that installed packages bring, by the names of their entry points.

    Raises:
        Conflict: two packages have one of the same name.
        InvalidInput: one cannot be loaded, is no `Page`, or does not say who may use it. A studio that left it out in
            silence would be searched for the fault in the wrong place.
    """
    points = (INSTALLED.entry_point(name) for name in INSTALLED.names())
    return tuple(_loaded(point) for point in points if point is not None)


def _loaded(point: EntryPoint) -> Page:
    try:
        page = point.load()
    except Exception as error:  # noqa: BLE001  a package may raise anything
        reason = f"{type(error).__name__}: {error}"
    else:
        if isinstance(page, Page) and page.roles is not None:
            return page
        reason = "it does not say which roles may use it" if isinstance(page, Page) else f"{point.value} is no Page"
    raise InvalidInput(f"page {described(point)} cannot be used ({reason}); mend or uninstall the package")
