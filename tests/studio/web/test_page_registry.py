"""A page of an installed package: it is in the navigation for its roles, refused to others, and refused if broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kinesphere.errors import Conflict, InvalidInput
from storage.catalog import Role
from storage.workspace import Workspace
from studio.web.page import Page
from studio.web.page_registry import built_in_pages, installed_pages
from tests.support.studio_server import new_account, running_studio

MODULE = '''
"""How many recordings each task has."""

from collections import Counter
from pathlib import Path

from fastapi import APIRouter, Request, Response

from storage.catalog import Role
from studio.web.http.page_rendering import render
from studio.web.page import Page, Studio


def counts_routes(studio: Studio) -> APIRouter:
    """The page `/counts`."""
    routes = APIRouter()

    @routes.get("/counts")
    def counts(request: Request) -> Response:
        rows = studio.workspace.catalog.recordings()
        return render(request, "counts.html", counts=Counter(row.task for row in rows), workspace=studio.workspace.name)

    return routes


PAGE = Page(
    counts_routes, (Role.REVIEWER,), name="Counts", path="/counts", templates=Path(__file__).parent / "acme_templates"
)
UNGUARDED = Page(counts_routes, name="Counts", path="/counts")
NO_PAGE = counts_routes
'''
TEMPLATE = """{% extends "base.html" %}
{% block title %}Counts{% endblock %}
{% block main %}
<h1>Recordings of {{ workspace }}</h1>
<ul>{% for task, count in counts.items() %}<li>{{ task }}: {{ count }}</li>{% else %}<li>None yet.</li>{% endfor %}</ul>
{% endblock %}
"""


def install(folder: Path, patch: pytest.MonkeyPatch, target: str, package: str = "acme-pages") -> None:
    """Install a package with a page into a folder, as pip would."""
    (folder / "acme_pages.py").write_text(MODULE)
    (folder / "acme_templates").mkdir(exist_ok=True)
    (folder / "acme_templates" / "counts.html").write_text(TEMPLATE)
    metadata = folder / f"{package.replace('-', '_')}-0.3.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.3\n")
    (metadata / "entry_points.txt").write_text(f"[kinesphere.pages]\ncounts = acme_pages:{target}\n")
    patch.syspath_prepend(folder)
    patch.delitem(sys.modules, "acme_pages", raising=False)


def test_a_page_of_a_package_is_shown_to_its_role_and_refused_to_others(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "PAGE")
    tokens = {
        role: new_account(workspace, f"{role}-1", role) for role in (Role.REVIEWER, Role.ANNOTATOR, Role.OPERATOR)
    }
    with running_studio(workspace) as studio:
        for role, token in tokens.items():
            may = role is not Role.ANNOTATOR
            with studio.client(token=token) as client:
                assert ('href="/counts"' in client.get("/").text) is may, role
                answer = client.get("/counts")
                assert answer.status_code == (200 if may else 403), role
                assert ("None yet." in answer.text) is may
        with studio.client(token=None) as client:
            assert client.get("/counts").headers["location"] == "/sign-in?next=/counts"
            assert "Counts" not in client.get("/sign-in").text


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("UNGUARDED", "it does not say which roles may use it"),
        ("NO_PAGE", "acme_pages:NO_PAGE is no Page"),
        ("ABSENT", "AttributeError: module 'acme_pages' has no attribute 'ABSENT'"),
    ],
)
def test_a_page_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, reason: str
) -> None:
    install(tmp_path, monkeypatch, target)
    with pytest.raises(InvalidInput) as refused:
        installed_pages()
    assert str(refused.value) == (
        f"page counts of acme-pages 0.3 cannot be used ({reason}); mend or uninstall the package"
    )


def test_two_packages_with_a_page_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("acme-pages", "other-pages"):
        install(tmp_path, monkeypatch, "PAGE", package)
    with pytest.raises(Conflict, match=r"page counts of \S+ 0.3, and counts of \S+ 0.3; uninstall one"):
        installed_pages()


def test_a_page_in_the_navigation_needs_a_path() -> None:
    with pytest.raises(InvalidInput, match="needs a path"):
        Page(built_in_pages()[0].routes, (), name="Counts")
