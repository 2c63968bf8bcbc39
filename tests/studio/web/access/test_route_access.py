"""Every route for everybody: a table says who gets in, and a route that is not in it fails the test."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from httpx import Client, Response

from storage.catalog import Accounts, Audit, Role, SignIns
from studio.web.access.auth import RequiredRoles
from studio.web.access.credentials import SESSION_COOKIE
from tests.support.filled_studio import Filled, running_filled
from tests.support.studio_server import Studio, new_account, routes_of, running_studio

ALL = {"carla", "anna", "rosa", "otto"}
ANNOTATORS, REVIEWERS, OPERATORS, CONTRIBUTORS = {"anna", "otto"}, {"rosa", "otto"}, {"otto"}, {"carla", "otto"}
ALLOWED = {
    "GET /": ALL,
    "GET /account": ALL,
    "POST /api/account/password": ALL,
    "POST /api/account/tokens": ALL,
    "DELETE /api/account/tokens/{token_sha256}": ALL,
    "POST /api/sign-out": ALL,
    "GET /api/openapi.json": OPERATORS,
    "GET /people": OPERATORS,
    "POST /api/invitations": OPERATORS,
    "DELETE /api/invitations/{code_sha256}": OPERATORS,
    "POST /api/accounts/{account}/roles": OPERATORS,
    "POST /api/accounts/{account}/{change}": OPERATORS,
    "GET /dashboard/agreement": OPERATORS,
    "GET /adjudicate": ANNOTATORS,
    "GET /adjudicate/{annotation}": ANNOTATORS,
    "GET /tasks": OPERATORS,
    "GET /tasks/new": OPERATORS,
    "GET /tasks/{name}": OPERATORS,
    "POST /api/tasks": OPERATORS,
    "POST /api/tasks/preview": OPERATORS,
    "GET /dashboard": OPERATORS,
    "GET /dashboard/arrivals.svg": OPERATORS,
    "GET /dashboard/gate": OPERATORS,
    "GET /dashboard/gate/{check}.svg": OPERATORS,
    "GET /dashboard/diversity": OPERATORS,
    "GET /dashboard/diversity/{dataset}/{plot}.svg": OPERATORS,
    "GET /dashboard/storage": OPERATORS,
    "GET /review": REVIEWERS,
    "GET /api/reviews/queue": REVIEWERS,
    "POST /api/reviews/next": REVIEWERS,
    "POST /api/reviews/release": REVIEWERS,
    "POST /api/reviews/renew": REVIEWERS,
    "POST /api/reviews/{recording}/take": REVIEWERS,
    "POST /api/reviews/{recording}/decide": REVIEWERS,
    "GET /mine": CONTRIBUTORS,
    "GET /mine/{recording}": CONTRIBUTORS,
    "POST /api/mine/take-back": CONTRIBUTORS,
    "POST /api/mine/attributes": CONTRIBUTORS,
    "GET /record/{task}": CONTRIBUTORS,
    "POST /api/takes": CONTRIBUTORS,
    "OPTIONS /api/uploads": CONTRIBUTORS,
    "POST /api/uploads": CONTRIBUTORS,
    "HEAD /api/uploads/{upload}": CONTRIBUTORS,
    "PATCH /api/uploads/{upload}": CONTRIBUTORS,
    "DELETE /api/uploads/{upload}": CONTRIBUTORS,
    "POST /api/recordings": CONTRIBUTORS,
    "GET /api/recordings/{recording}": CONTRIBUTORS,
    "POST /api/recordings/{recording}/withdraw": CONTRIBUTORS,
    "GET /api/recordings/{recording}/media": ALL,
    "GET /api/recordings/{recording}/video": ALL,
    "HEAD /api/recordings/{recording}/video": ALL,
    "GET /api/recordings/{recording}/frames": ALL,
    "GET /api/recordings/{recording}/skeleton": ALL,
    "GET /api/recordings/{recording}/signals": ALL,
    "GET /api/recordings/{recording}/proposals": ANNOTATORS,
    "GET /api/recordings/{recording}/label-edges": ANNOTATORS,
    "GET /api/recordings/{recording}/annotations": OPERATORS,
    "POST /api/recordings/{recording}/annotations": ANNOTATORS,
    "GET /api/annotations/{annotation}": ANNOTATORS,
    "POST /api/annotations/{annotation}/renew": ANNOTATORS,
    "POST /api/annotations/{annotation}/done": ANNOTATORS,
    "POST /api/annotations/{annotation}/reopen": ANNOTATORS,
    "POST /api/annotations/{annotation}/skip": ANNOTATORS,
    "POST /api/annotations/{annotation}/operations": ANNOTATORS,
    "POST /api/annotations/{annotation}/restore": ANNOTATORS,
    "GET /api/annotations/{annotation}/changes": ANNOTATORS,
    "GET /api/annotations/{annotation}/history": ANNOTATORS,
    "GET /api/annotations/{annotation}/events": ANNOTATORS,
    "GET /api/adjudications/{annotation}": ANNOTATORS,
    "POST /api/labelling/next": ANNOTATORS,
    "GET /api/labelling/queue": ANNOTATORS,
    "GET /api/labelling/progress": ANNOTATORS,
    "PUT /api/labelling/priority": OPERATORS,
    "GET /label": ANNOTATORS,
    "GET /label/{annotation}": ANNOTATORS,
    "GET /label/{annotation}/history": ANNOTATORS,
    "GET /metrics": OPERATORS,
}
OPEN = {"GET /sign-in", "POST /sign-in", "GET /enter", "GET /invitation", "POST /invitation"} | {
    f"{method} /{state}" for method in ("GET", "HEAD") for state in ("health", "ready")
}
"""To everybody: each wants a secret of its own, or tells only how the server is."""
ROLES = {"carla": Role.CONTRIBUTOR, "anna": Role.ANNOTATOR, "rosa": Role.REVIEWER, "otto": Role.OPERATOR}
TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "1"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, Filled]]:
    with running_filled(tmp_path_factory.mktemp("access")) as made:
        yield made


def routes(studio: Studio) -> list[tuple[str, str, RequiredRoles]]:
    """Method, path and demand of every route."""
    return [
        (method, route.path, next(d.call for d in route.dependant.dependencies if isinstance(d.call, RequiredRoles)))
        for route in routes_of(studio.app)
        for method in sorted(route.methods or ())
    ]


def asked(client: Client, method: str, path: str, content: Filled, **more: str) -> Response:
    """Ask for a route about what is there, with a body that changes nothing."""
    known = content.ids() | {"account": ["nobody"], "upload": ["0" * 32]}
    address = re.sub(r"{(\w+)}", lambda found: known[found[1]][0], path)
    body = b"[]" if method in ("POST", "PUT", "PATCH") and path not in ("/sign-in", "/invitation") else None
    return client.request(method, address, headers=TUS | more, content=body)


def test_the_table_has_every_route_and_says_what_its_demand_says(filled: tuple[Studio, Filled]) -> None:
    found = {f"{method} {path}": demand for method, path, demand in routes(filled[0])}
    assert set(found) == set(ALLOWED) | OPEN
    for name, demand in found.items():
        if name in OPEN:
            assert demand.roles is None, name
        else:
            assert demand.roles is not None, name
            allowed = {person for person, role in ROLES.items() if role in demand.roles | {Role.OPERATOR}}
            assert allowed == ALLOWED[name], name


@pytest.mark.parametrize("person", ["carla", "anna", "rosa", "otto"])
def test_each_role_gets_in_where_the_table_says_and_nowhere_else(filled: tuple[Studio, Filled], person: str) -> None:
    studio, content = filled
    with studio.client(token=content.tokens[person]) as client:
        for method, path, _ in routes(studio):
            name = f"{method} {path}"
            status = asked(client, method, path, content).status_code
            if name in OPEN or person in ALLOWED[name]:
                assert status not in (401, 403) or name in ("GET /enter", "POST /sign-in"), (name, status)
                assert status < 500, name
            else:
                assert status == 403, (name, status)


def test_nobody_the_disabled_and_those_whose_token_has_expired_get_in_nowhere(filled: tuple[Studio, Filled]) -> None:
    studio, content = filled
    gone = {"Cookie": f"{SESSION_COOKIE}={content.dora_session}"}
    for method, path, _ in routes(studio):
        name = f"{method} {path}"
        for token in (content.tokens["dora"], content.tokens["tim"], "x"):
            with studio.client(token=token) as client:
                assert asked(client, method, path, content).status_code == 401, name
        with studio.client(token=None) as client:
            for cookie in ({}, gone):
                answer = asked(client, method, path, content, **cookie)
                if name in OPEN:
                    assert answer.status_code in (200, 401, 404), name
                elif path.startswith(("/api/", "/metrics")):
                    assert answer.status_code == 401, name
                else:
                    assert (answer.status_code, answer.headers["Location"][:9]) == (303, "/sign-in?"), name


def test_no_change_by_a_cookie_is_made_without_the_page_s_token_or_for_another_site(
    filled: tuple[Studio, Filled],
) -> None:
    studio, content = filled
    secret = SignIns(studio.workspace.catalog).begin_session("otto")
    person = studio.credentials.by_session(secret)
    assert person is not None and person.csrf is not None
    cookie = {"Cookie": f"{SESSION_COOKIE}={secret}"}
    right = cookie | {"X-CSRF-Token": person.csrf}
    before = len(Audit(studio.workspace.catalog).trail(10_000))
    unsafe = [(m, p) for m, p, _ in routes(studio) if m not in ("GET", "HEAD", "OPTIONS")]
    assert len(unsafe) >= 30
    with studio.client(token=None) as client:
        for method, path in unsafe:
            for headers in (cookie, cookie | {"X-CSRF-Token": "x"}, right | {"Sec-Fetch-Site": "cross-site"},
                            right | {"Sec-Fetch-Site": "same-site"}, right | {"Origin": "null"},
                            right | {"Origin": "http://127.0.0.1:1"}):  # fmt: skip
                if f"{method} {path}" in OPEN and "Sec-Fetch-Site" not in headers and "Origin" not in headers:
                    continue
                assert asked(client, method, path, content, **headers).status_code == 401, (method, path, headers)
    assert len(Audit(studio.workspace.catalog).trail(10_000)) == before
    assert studio.credentials.by_session(secret) is not None


def test_what_is_one_contributor_s_is_never_another_s(filled: tuple[Studio, Filled]) -> None:
    studio, content = filled
    theirs = {"recording": content.flagged}
    with studio.client(token=content.tokens["carla"]) as carla, studio.client(token=content.tokens["carlo"]) as carlo:
        for method, path, _ in routes(studio):
            name = f"{method} {path}"
            if "{recording}" not in path or name not in ALLOWED or "carla" not in ALLOWED[name]:
                continue
            query = "?first=0&count=10&level=0"
            other = carla.request(method, path.format(**theirs) + query, json={} if method == "POST" else None)
            nothing = "20200101-000000-00000000"
            missing = carla.request(
                method, path.format(recording=nothing) + query, json={} if method == "POST" else None
            )
            assert (other.status_code, missing.status_code) == (404, 404), name
            # Whether there is one of this id is not told either.
            assert other.text.replace(content.flagged, nothing) == missing.text, name
            own = carlo.request(method, path.format(**theirs) + query, json={} if method == "POST" else None)
            assert own.status_code in (200, 422), (name, own.status_code)
        assert content.flagged not in carla.get("/mine").text
        assert carla.get("/record/move?contributor=c002").text.count("c002") == 0


def test_an_upload_is_its_owner_s_alone_also_after_a_restart(filled: tuple[Studio, Filled]) -> None:
    studio, content = filled
    part = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    tokens = content.tokens
    second = SignIns(studio.workspace.catalog).new_token("carla", "phone", who="carla")
    with studio.client(token=tokens["carla"]) as carla:
        location = carla.post("/api/uploads", headers=TUS | {"Upload-Length": "10"}).headers["Location"]
        assert carla.patch(location, headers=part, content=b"01234").status_code == 204
    upload = location.rsplit("/", 1)[1]
    with running_studio(studio.workspace) as restarted:
        for person in ("carlo", "otto", "olivia"):
            with restarted.client(token=tokens[person]) as other:
                assert other.head(location, headers=TUS).status_code == 404
                for offset in ("0", "5"):
                    headers = part | {"Upload-Offset": offset, "Upload-Length": "10"}
                    assert other.patch(location, headers=headers, content=b"56789").status_code == 404
                task = studio.workspace.catalog.task("move").task
                take = {"recording": "20261125-000000-00000000", "upload": upload, "task": "move", "scopes": [],
                        "consent_sha256": task.consent_sha256, "contributor": "c002"}  # fmt: skip
                answer = other.post("/api/takes", json=take)
                assert (answer.status_code, "upload" in answer.json()["error"]) == (404, True)
        with restarted.client(token=second) as phone:
            assert phone.head(location, headers=TUS).headers["Upload-Offset"] == "5"
            assert phone.patch(location, headers=part | {"Upload-Offset": "5"}, content=b"56789").status_code == 204


def test_rights_given_and_taken_change_what_a_token_opens(filled: tuple[Studio, Filled]) -> None:
    studio, content = filled
    token = new_account(studio.workspace, "vera", Role.ANNOTATOR)
    with studio.client(token=token) as vera, studio.client(token=content.tokens["otto"]) as otto:
        assert vera.get("/review").status_code == 403
        assert otto.post("/api/accounts/vera/roles", json={"roles": ["reviewer"]}).status_code == 204
        assert (vera.get("/review").status_code, vera.get("/label").status_code) == (200, 403)
        assert otto.post("/api/accounts/vera/disable").status_code == 204
        assert vera.get("/review").status_code == 401
        assert otto.post("/api/accounts/vera/enable").status_code == 204
        assert vera.get("/review").status_code == 401  # the token is gone for good
    assert Accounts(studio.workspace.catalog).require("vera").disabled_at is None
