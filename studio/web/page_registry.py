"""All pages of the studio, in the order of the navigation: the built-in ones, then those of installed packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from kinesphere.errors import InvalidInput
from studio.web.access import people_page, sign_in
from studio.web.contributing import my_recordings, recording_routes
from studio.web.labelling import adjudication_pages, label_pages, label_routes, proposal_routes
from studio.web.operating import dashboard, task_pages
from studio.web.page import Page
from studio.web.playing import media_routes
from studio.web.reviewing import review_page
from studio.web.uploads import browser_recorder, tus

GROUP = "kinesphere.pages"
"""Of entry points: each names a `Page` of an installed package."""

BUILT_IN: tuple[Page, ...] = (
    # Routes are looked through in this order: the most frequent requests come first, so an annotator's keys wait least.
    label_routes.PAGE,
    tus.PAGE,
    media_routes.PAGE,
    sign_in.PAGE,
    label_pages.PAGE,
    adjudication_pages.PAGE,
    review_page.PAGE,
    my_recordings.PAGE,
    dashboard.PAGE,
    task_pages.PAGE,
    people_page.PAGE,
    browser_recorder.PAGE,
    proposal_routes.PAGE,
    recording_routes.PAGE,
)


def installed_pages() -> tuple[Page, ...]:
    """The pages that installed packages bring, by the names of their entry points.

    Raises:
        InvalidInput: one cannot be loaded, is no `Page`, or does not say who may use it. A studio that left it out in
            silence would be searched for the fault in the wrong place.
    """
    return tuple(_loaded(point) for point in sorted(entry_points(group=GROUP), key=lambda point: point.name))


def _loaded(point: EntryPoint) -> Page:
    package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an installed package"
    try:
        page = point.load()
    except Exception as error:  # noqa: BLE001  a package may raise anything
        reason = f"{type(error).__name__}: {error}"
    else:
        if isinstance(page, Page) and page.roles is not None:
            return page
        reason = "it does not say which roles may use it" if isinstance(page, Page) else f"{point.value} is no Page"
    raise InvalidInput(f"the page '{point.name}' of {package} cannot be used ({reason}); mend or uninstall the package")
