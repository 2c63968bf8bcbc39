"""Who may use what: every route says so, and cookies are guarded against pages of other sites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from storage.workspace import Workspace
from studio.web.access.auth import RequiredRoles
from studio.web.access.credentials import SESSION_COOKIE
from studio.web.http.page_rendering import CONTENT_SECURITY_POLICY
from tests.support.browser import accessibility_violations, opened_page
from tests.support.studio_server import Studio, routes_of, running_studio, session_cookie

if TYPE_CHECKING:
    from playwright.sync_api import Browser

OPEN_TO_ALL = {"/sign-in", "/enter", "/invitation", "/health", "/ready"}


@pytest.fixture
def studio(workspace: Workspace) -> Iterator[Studio]:
    with running_studio(workspace) as running:
        yield running


def link_of(studio: Studio) -> str:
    assert studio.credentials.local is not None
    return studio.credentials.local.link


def test_every_route_says_who_may_use_it(studio: Studio) -> None:
    routes = routes_of(studio.app)
    assert len(routes) >= 10
    for route in routes:
        demands = [found.call for found in route.dependant.dependencies if isinstance(found.call, RequiredRoles)]
        assert len(demands) == 1, f"{route.path} demands {demands}"
        assert (demands[0].roles is None) == (route.path in OPEN_TO_ALL), route.path


def test_pages_send_strangers_to_the_sign_in(studio: Studio) -> None:
    with studio.client(token=None) as client:
        answer = client.get("/")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?next=/")
        assert client.get("/nowhere").status_code == 404


def test_the_link_is_good_once_and_its_cookie_is_not_for_scripts(studio: Studio) -> None:
    with studio.client(token=None) as client:
        assert client.get("/enter?link=wrong").status_code == 401
        answer = client.get(f"/enter?link={link_of(studio)}")
        assert answer.status_code == 303
        assert "HttpOnly" in answer.headers["Set-Cookie"] and "SameSite" in answer.headers["Set-Cookie"]
        assert client.get("/").status_code == 200
        client.cookies.clear()
        assert client.get(f"/enter?link={link_of(studio)}").status_code == 401


def test_a_change_by_cookie_needs_the_page_s_token_and_our_own_page(studio: Studio) -> None:
    cookie = session_cookie(studio)
    person = studio.credentials.by_session(cookie["value"])
    assert person is not None and person.csrf is not None
    right = {"X-CSRF-Token": person.csrf, "Cookie": f"{SESSION_COOKIE}={cookie['value']}", "Content-Type": "text/plain"}
    with studio.client(token=None) as client:
        for headers, status in (
            (right, 422),  # it got as far as being read
            (right | {"Sec-Fetch-Site": "same-origin"}, 422),
            (right | {"X-CSRF-Token": "x"}, 401),
            ({name: value for name, value in right.items() if name != "X-CSRF-Token"}, 401),
            (right | {"Sec-Fetch-Site": "cross-site"}, 401),
            (right | {"Origin": "http://evil.example"}, 401),
            (right | {"Origin": studio.url}, 422),
        ):
            assert client.post("/api/recordings", content=b"no json", headers=headers).status_code == status, headers


def test_every_answer_carries_the_headers_that_keep_a_browser_safe(studio: Studio) -> None:
    with studio.client(token=None) as client:
        for path in ("/sign-in", "/nowhere", "/api/nowhere"):
            assert client.get(path).headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_the_start_page_works_in_a_browser_and_is_accessible(studio: Studio, browser: Browser) -> None:
    with opened_page(browser, cookies=[session_cookie(studio)]) as page:
        page.goto(studio.url)
        assert page.locator("h1").inner_text() == "workspace"
        assert accessibility_violations(page) == []
        page.get_by_role("button", name="Light or dark").click()
        assert accessibility_violations(page) == []
