"""Accounts in the studio: signing in, invitations, rights, and what is refused; the command `account`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from httpx import Client, Response

from kinesphere.errors import InvalidInput
from storage.catalog import Accounts, Audit, Role
from storage.workspace import Workspace
from studio.web.access.passwords import hash_password, is_right
from studio.web.access.rate_limits import RateLimit
from studio.web.http.refusals import TooOften
from tests.support.browser import accessibility_violations, opened_page
from tests.support.command import Command
from tests.support.studio_server import Studio, new_account, running_studio, session_cookie

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PASSWORD = "four random words here"


@pytest.fixture
def studio(workspace: Workspace) -> Iterator[Studio]:
    with running_studio(workspace) as running:
        yield running


@pytest.fixture
def stranger(studio: Studio) -> Iterator[Client]:
    with studio.client(token=None) as client:
        yield client


def sign_in(client: Client, account: str, password: str = PASSWORD, **more: str) -> Response:
    return client.post("/sign-in", data={"account": account, "password": password, **more})


def add_account(workspace: Workspace, account: str, *roles: Role) -> None:
    Accounts(workspace.catalog).add(account, roles, who="olivia", password_hash=hash_password(PASSWORD))


def test_a_password_lets_in_and_leads_to_a_page_of_ours_only(stranger: Client, workspace: Workspace) -> None:
    add_account(workspace, "anna", Role.ANNOTATOR)
    for given, led in (
        ("/account", "/account"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\r\nSet-Cookie: x=y", "/"),
    ):
        answer = sign_in(stranger, "anna", next=given)
        assert (answer.status_code, answer.headers["Location"]) == (303, led)
    assert "HttpOnly" in answer.headers["Set-Cookie"] and "SameSite=lax" in answer.headers["Set-Cookie"]
    assert "anna" in stranger.get("/account").text


def test_a_wrong_password_and_an_unknown_name_are_told_alike(stranger: Client, workspace: Workspace) -> None:
    add_account(workspace, "anna", Role.ANNOTATOR)
    add_account(workspace, "otto", Role.OPERATOR)
    Accounts(workspace.catalog).disable("anna", who="otto")
    Accounts(workspace.catalog).add("tina", [Role.ANNOTATOR], who="otto")  # without a password
    answers = [sign_in(stranger, name, password) for name, password in (
        ("otto", "wrong"), ("nobody", "wrong"), ("anna", PASSWORD), ("tina", ""), ("", ""), ("otto", PASSWORD + " "),
    )]  # fmt: skip
    assert {answer.status_code for answer in answers} == {401}
    assert all("Name or password is wrong." in answer.text for answer in answers)
    assert not any("Set-Cookie" in answer.headers for answer in answers)
    failed = [entry for entry in Audit(workspace.catalog).trail() if entry.what == "sign-in failed"]
    # A name and a day have one entry. What is no name is not kept: it may be a password.
    assert {(entry.who, entry.detail) for entry in failed} == {
        ("otto", "wrong name or password; 2 times that day"),
        ("anna", "wrong name or password"),
        ("tina", "wrong name or password"),
        ("", "wrong name or password; 2 times that day"),
    }
    assert len(failed) == 4


def test_whoever_tries_passwords_is_slowed_down(stranger: Client, workspace: Workspace) -> None:
    add_account(workspace, "anna", Role.ANNOTATOR)
    statuses = [sign_in(stranger, "anna", f"guess {number}").status_code for number in range(10)]
    assert statuses == [401] * 8 + [429] * 2
    refused = sign_in(stranger, "anna")
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) >= 1
    assert sign_in(stranger, "bert", "x").status_code == 401  # another account goes on


def test_a_form_of_another_site_signs_nobody_in(stranger: Client, workspace: Workspace) -> None:
    add_account(workspace, "anna", Role.ANNOTATOR)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        answer = stranger.post("/sign-in", data={"account": "anna", "password": PASSWORD}, headers=headers)
        assert answer.status_code == 401 and "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "anna1234567890", "x" * 201])
def test_a_password_that_is_easy_to_guess_is_refused(password: str) -> None:
    with pytest.raises(InvalidInput):
        hash_password(password, account="anna")


def test_a_weak_hash_is_replaced_when_its_password_is_given(workspace: Workspace) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    accounts = Accounts(workspace.catalog)
    accounts.add("anna", [Role.ANNOTATOR], who="olivia", password_hash=weak)
    assert is_right(accounts, "anna", PASSWORD)
    assert accounts.password_hash("anna") != weak
    assert is_right(accounts, "anna", PASSWORD) and not is_right(accounts, "anna", "another password")


def test_a_bucket_refills_with_time() -> None:
    now = [0.0]
    limit = RateLimit("it was tried", burst=2, seconds_each=10, clock=lambda: now[0])
    limit.take("a")
    limit.take("a")
    limit.take("b")
    with pytest.raises(TooOften, match="try again in 10 s"):
        limit.take("a")
    now[0] = 10
    limit.take("a")
    with pytest.raises(TooOften):
        limit.take("a")
    limit.give_back("a")
    limit.take("a")


MANAGEMENT = [
    ("GET", "/people"),
    ("POST", "/api/invitations"),
    ("DELETE", "/api/invitations/x"),
    ("POST", "/api/accounts/olivia/roles"),
    ("POST", "/api/accounts/olivia/disable"),
    ("POST", "/api/accounts/olivia/enable"),
]


@pytest.mark.parametrize("role", [Role.CONTRIBUTOR, Role.ANNOTATOR, Role.REVIEWER])
def test_only_operators_manage_people(studio: Studio, workspace: Workspace, role: Role) -> None:
    contributor = "c001" if role is Role.CONTRIBUTOR else None
    token = new_account(workspace, "paula", role, contributor=contributor)
    with studio.client(token=token) as client:
        for method, path in MANAGEMENT:
            answer = client.request(method, path, json={"roles": ["operator"]} if method == "POST" else None)
            assert answer.status_code == 403, path
    assert Accounts(workspace.catalog).require("paula").roles == {role}


def test_contributors_send_see_and_take_back_only_their_own(studio: Studio, workspace: Workspace) -> None:
    token = new_account(workspace, "paula", Role.CONTRIBUTOR, contributor="c001")
    annotator = new_account(workspace, "anna", Role.ANNOTATOR)
    with studio.client(token=annotator) as client:
        assert client.post("/api/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "1"}).status_code == 403
        assert client.get("/api/recordings/20261123-000000-00000000").status_code == 403
    with studio.client(token=token) as client:
        assert client.get("/api/recordings/20261123-000000-00000000").status_code == 404


def test_rights_that_are_taken_end_at_once(studio: Studio, workspace: Workspace) -> None:
    token = new_account(workspace, "paula", Role.OPERATOR)
    other = new_account(workspace, "peter", Role.OPERATOR)
    with studio.client(token=token) as client, studio.client(token=other) as second:
        assert client.get("/people").status_code == 200
        assert second.post("/api/accounts/paula/disable").status_code == 204
        assert client.get("/people").status_code in (303, 401)
        assert second.post("/api/accounts/peter/disable").status_code == 409
        assert second.post("/api/accounts/peter/explode").status_code == 404
        assert second.post("/api/accounts/nobody/enable").status_code == 404


def test_one_s_own_tokens_are_made_shown_once_and_revoked(studio: Studio, workspace: Workspace) -> None:
    token = new_account(workspace, "anna", Role.ANNOTATOR)
    with studio.client(token=token) as client:
        made = client.post("/api/account/tokens", json={"name": "cron", "days": 1})
        assert made.status_code == 201
        assert made.json()["token"] not in client.get("/account").text
        for wrong in (
            {},
            {"name": ""},
            {"name": "x" * 65},
            {"name": "x", "days": 0},
            {"name": 3},
            {"name": "x", "y": 1},
        ):
            assert client.post("/api/account/tokens", json=wrong).status_code == 422, wrong
    with studio.client(token=made.json()["token"]) as client:
        assert client.get("/account").status_code == 200


def test_a_password_is_changed_only_by_who_knows_the_old_one(stranger: Client, workspace: Workspace) -> None:
    add_account(workspace, "anna", Role.ANNOTATOR)
    assert sign_in(stranger, "anna").status_code == 303
    csrf = stranger.get("/account").text.split('name="csrf" content="')[1].split('"')[0]
    stranger.headers["X-CSRF-Token"] = csrf
    for old, new, status in (
        ("wrong", "another good password", 422),
        (PASSWORD, "short", 422),
        (PASSWORD, "a new good one", 204),
    ):
        assert stranger.post("/api/account/password", json={"old": old, "new": new}).status_code == status
    assert stranger.get("/account").status_code == 200  # this browser stays signed in
    assert is_right(Accounts(workspace.catalog), "anna", "a new good one")
    assert stranger.post("/api/sign-out").status_code == 204
    assert stranger.get("/account").status_code == 303


def test_the_way_from_invitation_to_work_in_a_browser(studio: Studio, browser: Browser) -> None:
    with opened_page(browser, cookies=[session_cookie(studio)]) as page:
        page.goto(f"{studio.url}/people")
        assert accessibility_violations(page) == []
        page.get_by_role("group", name="Roles").get_by_label("annotator").check()
        page.get_by_label("Name to sign in with").fill("anna")
        page.get_by_role("button", name="Make a link").click()
        page.locator("#invited").wait_for()
        link = page.locator("#invited code").inner_text()
    with opened_page(browser) as page:
        page.goto(link)
        assert accessibility_violations(page) == []
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Make my account").click()
        page.wait_for_url(f"{studio.url}/")
        assert page.get_by_role("navigation").inner_text().split() == ["Label", "Adjudicate"]
        page.get_by_role("link", name="anna").click()
        assert accessibility_violations(page) == []
        page.get_by_label("Name", exact=True).fill("laptop")
        page.get_by_role("button", name="Make a token").click()
        page.locator("#made").wait_for()
        assert page.locator("#made code").inner_text().startswith("ks_")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
        assert accessibility_violations(page) == []
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{studio.url}/")
    assert Accounts(studio.workspace.catalog).require("anna").roles == {Role.ANNOTATOR}


def test_the_command_makes_accounts_and_serve_lets_others_in_only_then(tmp_path: Path) -> None:
    command = Command.in_new_workspace(tmp_path / "w")
    assert "first make an account" in command.error("serve", "--host", "0.0.0.0", "--port", "0")
    assert "go together" in command.error("serve", "--port", "0", "--key", "x.pem")
    assert "no role 'boss'" in command.error("account", "add", "otto", "--role", "boss", "--no-password")
    assert "nobody could sign in" in command.error("serve", "--host", "0.0.0.0", "--port", "0")
    command.run("account", "add", "tina", "--role", "annotator", "--no-password")
    typed = subprocess.run(
        command.arguments("account", "add", "otto", "--role", "operator", "--json"),
        env=command.environment, input=f"{PASSWORD}\n", capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert PASSWORD not in typed.stdout
    assert [row["account"] for row in command.json("account", "list")] == ["otto", "tina"]
    assert command.json("account", "token", "tina", "--days", "3")["token"].startswith("ks_")
    assert "nobody would be left" in command.error("account", "disable", "otto")
    command.run("account", "disable", "tina")
    command.run("account", "enable", "tina")
    weak = subprocess.run(
        command.arguments("account", "password", "otto"),
        env=command.environment, input="weak\n", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert weak.returncode == 1 and "a password has 12" in weak.stderr
