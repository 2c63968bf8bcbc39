"""Sessions of browsers, what a request says of its host, and the headers that answers carry."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from storage.catalog import Accounts, Audit, Role, SignIns
from storage.catalog.people.account_tables import AuditTable
from storage.workspace import Workspace, create_workspace
from studio.web.access.credentials import SESSION_COOKIE
from studio.web.access.passwords import hash_password
from studio.web.access.rate_limits import RateLimit
from tests.support.filled_studio import Filled, fill
from tests.support.studio_server import TOKEN, Studio, new_account, routes_of, running_studio

PASSWORD = "four random words here"
TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "1"}
EVIL = "evil.example"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, Filled]]:
    folder = tmp_path_factory.mktemp("sessions")
    workspace = create_workspace(folder / "workspace")
    content = fill(workspace, folder)
    accounts = Accounts(workspace.catalog)
    for name in ("anna", "rosa"):
        accounts.set_password(name, hash_password(PASSWORD), who="olivia")
    with pytest.MonkeyPatch.context() as patch, running_studio(workspace) as studio:
        patch.setattr("studio.web.labelling.label_events._ENDS_AFTER", 0.0)
        yield studio, content
    workspace.catalog.close()


@pytest.fixture
def studio(filled: tuple[Studio, Filled]) -> Studio:
    return filled[0]


def sign_in(client: httpx.Client, account: str, **headers: str) -> httpx.Response:
    return client.post("/sign-in", data={"account": account, "password": PASSWORD}, headers=headers)


def test_signing_in_makes_a_new_session_and_ends_the_one_that_was_in_the_browser(studio: Studio) -> None:
    planted = SignIns(studio.workspace.catalog).begin_session("rosa")
    with studio.client(token=None) as client:
        for before in ("chosen-by-somebody-else", planted):
            client.cookies.set(SESSION_COOKIE, before, domain="127.0.0.1", path="/")
            answer = sign_in(client, "anna")
            assert answer.status_code == 303 and before not in answer.headers["Set-Cookie"]
            assert studio.credentials.sign_ins.by_session(before) is None
            client.cookies.clear()


def test_signing_out_ends_the_session_for_who_has_copied_its_cookie_too(studio: Studio) -> None:
    with studio.client(token=None) as client:
        assert sign_in(client, "anna").status_code == 303
        secret = client.cookies[SESSION_COOKIE]
        page = client.get("/account").text
        csrf = page.split('name="csrf" content="')[1].split('"')[0]
        assert secret not in page
        assert client.post("/api/sign-out", headers={"X-CSRF-Token": csrf}).status_code == 204
        assert SESSION_COOKIE not in client.cookies
        copied = {"Cookie": f"{SESSION_COOKIE}={secret}"}
        assert client.get("/account", headers=copied).status_code == 303
        assert client.post("/api/account/tokens", headers=copied | {"X-CSRF-Token": csrf}).status_code == 401


def test_what_a_request_says_of_its_host_leads_nowhere(filled: tuple[Studio, Filled]) -> None:
    studio, content = filled
    hosts = (
        {"Host": EVIL},
        {"Host": f"{EVIL}:80"},
        {"X-Forwarded-Host": EVIL},
        {"Forwarded": f"host={EVIL}"},
        {"X-Forwarded-Host": EVIL, "X-Forwarded-Proto": "https"},
    )
    with studio.client(token=content.tokens["otto"]) as otto, studio.client(token=None) as stranger:
        for host in hosts:
            made = otto.post("/api/invitations", json={"roles": ["annotator"]}, headers=host)
            assert made.json()["link"].startswith("/invitation?code=")
            for client in (otto, stranger):
                for route in routes_of(studio.app):
                    if "GET" in (route.methods or ()) and not route.path.endswith("/video"):
                        address = route.path.format(**{name: ids[0] for name, ids in content.ids().items()})
                        answer = client.get(address, headers=host)
                        assert EVIL not in answer.text and EVIL not in str(answer.headers), (address, host)
                        assert answer.headers.get("Location", "/").startswith("/")


@pytest.mark.parametrize("next_path", ["//evil.example", "https://evil.example", "/\\evil.example", "\\/evil.example",
                                       "/\t/evil.example", "javascript:1", " //evil.example", "/%09/evil.example",
                                       "evil.example", "/\r\nLocation: //evil.example"])  # fmt: skip
def test_nobody_is_sent_to_another_site(studio: Studio, next_path: str) -> None:
    with studio.client(token=None) as client:
        page = client.get("/sign-in", params={"next": next_path})
        answer = client.post("/sign-in", data={"account": "anna", "password": PASSWORD, "next": next_path})
        led = str(httpx.URL(studio.url).join(answer.headers["Location"]))
        assert led.startswith(f"{studio.url}/"), led
        assert 'value="/' in page.text and "//evil" not in page.text


def test_answers_about_people_are_kept_by_no_cache_and_shown_in_no_frame(filled: tuple[Studio, Filled]) -> None:
    studio, content = filled
    secret = SignIns(studio.workspace.catalog).begin_session("otto")
    seen = 0
    with studio.client(token=None) as client:
        client.cookies.set(SESSION_COOKIE, secret, domain="127.0.0.1", path="/")
        for route in routes_of(studio.app):
            if "GET" not in (route.methods or ()):
                continue
            address = route.path.format(**{name: ids[0] for name, ids in content.ids().items()})
            answer = client.get(address)
            assert answer.headers["Cache-Control"] == "no-store", address
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert "Access-Control-Allow-Origin" not in answer.headers
            seen += 1
        static = client.get("/").text.split('href="/static/')[1].split('"')[0]
        assert "immutable" in client.get(f"/static/{static}").headers["Cache-Control"]
        video = client.get(f"/api/recordings/{content.accepted}/video", headers={"Range": "bytes=0-9"})
        assert (video.status_code, video.headers["Content-Type"]) == (206, "video/mp4")
    assert seen > 40


def test_limits_hold_for_each_account_and_for_each_address(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def smaller(what: str, *, burst: int, seconds_each: float) -> RateLimit:
        """A tenth of a limit, while the clock stands still."""
        return RateLimit(what, burst=max(burst // 10, 1), seconds_each=seconds_each, clock=lambda: 0.0)

    for module in ("uploads.tus", "access.known_devices"):
        monkeypatch.setattr(f"studio.web.{module}.RateLimit", smaller)
    people = {
        name: new_account(workspace, name, Role.CONTRIBUTOR, contributor=f"c-{name}") for name in ("a1", "b1", "c1")
    }
    with running_studio(workspace) as studio, studio.client(token=None) as client:
        statuses = [sign_in(client, f"nobody{number}").status_code for number in range(5)]
        assert statuses == [401, 401, 401, 429, 429]  # other names help nobody
        for token in people.values():
            with studio.client(token=token) as sender:
                begun = [sender.post("/api/uploads", headers=TUS).status_code for _ in range(32)]
            assert begun == [201] * 30 + [429] * 2
        with studio.client() as sender:  # whose own limit is not reached, and that of the address is
            begun = [sender.post("/api/uploads", headers=TUS).status_code for _ in range(12)]
        assert begun == [201] * 10 + [429] * 2


def test_nobody_locks_a_known_name_out_with_wrong_passwords(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing = partial(RateLimit, clock=lambda: 0.0)  # on a busy machine tries take so long that some are forgiven
    monkeypatch.setattr("studio.web.access.known_devices.RateLimit", standing)
    for name in ("anna", "berta"):
        Accounts(workspace.catalog).add(name, [Role.ANNOTATOR], who="olivia", password_hash=hash_password(PASSWORD))

    with running_studio(workspace) as running, contextlib.ExitStack() as clients:
        own, attacker, elsewhere = (
            clients.enter_context(
                httpx.Client(base_url=running.url, transport=httpx.HTTPTransport(local_address=address), timeout=60)
            )
            for address in ("127.0.0.1", "127.0.0.1", "127.0.0.2")
        )
        first = sign_in(own, "anna")
        device = next(cookie for cookie in own.cookies.jar if "device" in cookie.name)
        assert first.status_code == 303 and device.value is not None and device.expires is not None
        assert PASSWORD not in device.value and "anna" not in f"{device.name}{device.value}"
        wrong = [attacker.post("/sign-in", data={"account": "anna", "password": f"no {n}"}) for n in range(40)]
        assert [answer.status_code for answer in wrong] == [401] * 8 + [429] * 32
        assert sign_in(own, "anna").status_code == 303  # the same address, and a known device
        assert sign_in(elsewhere, "anna").status_code == 303
        # The cookie is good for this name and this password alone, and as slow as any for who has taken it.
        forged = {"Cookie": f"{device.name}={'0' * 32}.{'0' * 64}"}
        copied = {"Cookie": f"{device.name}={device.value}"}
        assert sign_in(attacker, "anna", **forged).status_code == 429
        for _ in range(3):
            attacker.post("/sign-in", data={"account": "berta", "password": "no"}, headers=copied)
        guesses = [
            attacker.post("/sign-in", data={"account": "anna", "password": "no"}, headers=copied).status_code
            for _ in range(12)
        ]
        assert guesses == [401] * 8 + [429] * 4
        Accounts(workspace.catalog).set_password("anna", hash_password(f"new {PASSWORD}"), who="anna")
        assert sign_in(attacker, "anna", **copied).status_code == 429


def test_refused_sign_ins_are_counted_and_not_a_row_each(workspace: Workspace) -> None:
    audit = Audit(workspace.catalog)
    Accounts(workspace.catalog).add("anna", [Role.ANNOTATOR], who="olivia")
    for number in range(50):
        audit.note_refused("anna", "sign-in failed", "wrong name or password")
        audit.note_refused(f"my password {number}", "sign-in failed", "wrong name or password")
    audit.note("olivia", "signed out", "olivia")
    audit.note_refused("anna", "sign-in failed", "wrong name or password")
    newest, *others = audit.trail(1000)
    assert (newest.who, newest.detail) == ("anna", "wrong name or password; 51 times that day")
    failed = [(entry.who, entry.detail) for entry in others if entry.what == "sign-in failed"]
    assert failed == [("", "wrong name or password; 50 times that day")]


def test_refused_sign_ins_of_long_ago_go(workspace: Workspace) -> None:
    audit = Audit(workspace.catalog)
    with workspace.catalog.writing() as session:
        for days, what in ((100, "sign-in failed"), (89, "sign-in refused"), (100, "signed out")):
            session.add(
                AuditTable(at=datetime.now(UTC) - timedelta(days=days), who="", what=what, subject="", detail="x")
            )
    audit.note_refused("anna", "sign-in failed", "x")
    assert sorted(entry.what for entry in audit.trail()) == ["sign-in failed", "sign-in refused", "signed out"]


@contextlib.contextmanager
def served(folder: Path, *options: str) -> Iterator[str]:
    """`kinesphere serve` as people start it; gives its address."""
    environment = os.environ | {"KINESPHERE_TOKEN": TOKEN, "FORWARDED_ALLOW_IPS": "*"}
    command = [sys.executable, "-m", "studio", "serve", "--port", "0", "--json", "--workspace", str(folder), *options]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(b"".join(iter(process.stdout.readline, b"}\n")) + b"}")["url"]
        finally:
            process.terminate()


def test_only_a_proxy_that_the_operator_names_is_believed_about_https_and_addresses(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "w")
    Accounts(workspace.catalog).add("anna", [Role.ANNOTATOR], who="olivia", password_hash=hash_password(PASSWORD))
    workspace.catalog.close()
    with served(tmp_path / "w", "--proxy", "127.0.0.4", "--proxy", "10.0.0.0/8") as url:
        for address, is_believed in (("127.0.0.4", True), ("127.0.0.1", False), ("127.0.0.2", False)):
            transport = httpx.HTTPTransport(local_address=address)
            with httpx.Client(base_url=url, transport=transport) as client:
                answer = sign_in(client, "anna", **{"X-Forwarded-Proto": "https"})
                cookie = answer.headers["Set-Cookie"]
                assert ("Strict-Transport-Security" in answer.headers) == is_believed
                assert ("Secure" in cookie) == is_believed, address
                assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
        # Nobody gets round the limit of their address by making addresses up.
        with httpx.Client(base_url=url, transport=httpx.HTTPTransport(local_address="127.0.0.3")) as client:
            for number in range(90):  # of which one is forgiven every 20 s
                headers = {"X-Forwarded-For": f"10.0.0.{number}"}
                sent = {"account": f"n{number}", "password": "x"}
                if client.post("/sign-in", data=sent, headers=headers).status_code == 429:
                    break
            assert number >= 30 and number < 89


def test_the_trail_says_once_a_day_who_opened_a_video_and_who_acted_for_others(filled: tuple[Studio, Filled]) -> None:
    studio, content = filled
    audit = Audit(studio.workspace.catalog)
    video = f"/api/recordings/{content.accepted}/video"
    for person in ("anna", "carla"):
        with studio.client(token=content.tokens[person]) as client:
            for part in ("bytes=0-9", "bytes=10-19"):
                assert client.get(video, headers={"Range": part}).status_code == 206
    assert audit.note_daily("anna", "video opened", content.accepted) is False  # nor by another process
    with studio.client(token=content.tokens["carlo"]) as client:
        assert client.get(video).status_code == 404
    opened = [(entry.who, entry.subject) for entry in audit.trail(1000) if entry.what == "video opened"]
    assert sorted(found for found in opened if found[0] in ("anna", "carla", "carlo")) == [
        ("anna", content.accepted),
        ("carla", content.accepted),
    ]
    with studio.client(token=content.tokens["otto"]) as otto:
        assert otto.put("/api/labelling/priority", json={"task": "move", "priority": 3}).status_code == 200
        taken = otto.post("/api/mine/take-back", json={"recordings": [content.flagged], "contributor": "c002"})
        assert taken.status_code == 200
    entries = {(entry.who, entry.what, entry.subject, entry.detail) for entry in audit.trail(1000)}
    assert ("otto", "priority set", "move", "3") in entries
    assert ("otto", "erasure asked for", "c002", "1 recordings") in entries
