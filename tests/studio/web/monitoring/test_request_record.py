"""The log of a real server: every request with an id, failures with their traceback, and nobody's secrets."""

from __future__ import annotations

import json
import logging
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter

from storage.catalog import Invitations, Role
from storage.workspace import Workspace, open_workspace
from studio.event_log import JsonLines
from studio.web import web_app
from studio.web.access.auth import needs
from studio.web.page import Page
from tests.support.command import Command
from tests.support.studio_server import Studio, new_account, running_studio
from tests.support.submitted_takes import make_take, make_workspace
from tests.support.video_clips import make_clip

TOKEN, METRICS_TOKEN, PASSWORD = "a-token-for-the-tests", "a-token-for-monitoring", "a wrong password of somebody"


class Lines(logging.Handler):
    """What is logged, as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(json.loads(JsonLines().format(record)))


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    handler, log = Lines(), logging.getLogger("kinesphere")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler.found
    log.removeHandler(handler)
    log.setLevel(logging.NOTSET)


def _failing(_studio: object) -> APIRouter:
    routes = APIRouter()

    @routes.get("/api/broken/{recording}", dependencies=[needs()])
    def broken(recording: str) -> None:
        raise ZeroDivisionError(f"a bug\x1b[31m with {recording}")

    @routes.get("/broken", dependencies=[needs()])
    def page() -> None:
        raise ZeroDivisionError("a bug of a page")

    return routes


@contextmanager
def with_a_bug(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """A studio of which two routes fail."""
    monkeypatch.setattr(web_app, "installed_pages", lambda: (Page(_failing, (Role.OPERATOR,)),))
    with running_studio(workspace) as studio:
        yield studio


def test_an_id_that_came_goes_back_and_is_in_the_log_and_a_bad_one_is_not(
    workspace: Workspace, lines: list[dict[str, Any]]
) -> None:
    with running_studio(workspace) as studio, studio.client() as client:
        assert (
            client.get("/api/recordings/x", headers={"X-Request-ID": "proxy-1.a_B"}).headers["X-Request-ID"]
            == "proxy-1.a_B"
        )
        for bad in ("", "x" * 65, 'a"b', "a b", "a\tb", "é", "a;b"):
            given = client.get("/sign-in", headers={b"X-Request-ID": bad.encode()}).headers["X-Request-ID"]
            assert len(given) == 16 and int(given, 16) >= 0, bad
        static = client.get("/sign-in").text.split("/static/")[1].split('"')[0]
        assert client.get(f"/static/{static}").headers["X-Request-ID"]
        client.get("/health")
    requests = [line for line in lines if line["event"] == "request"]
    first = requests[0]
    assert (first["request"], first["route"], first["method"], first["status"], first["level"]) == (
        "proxy-1.a_B", "/api/recordings/{recording}", "GET", 404, "info")  # fmt: skip
    assert first["recording"] == "x" and 0 < first["seconds"] < 60 and first["time"].endswith("+00:00")
    assert {line["route"] for line in requests} == {"/api/recordings/{recording}", "/sign-in"}


def test_a_bug_is_logged_with_its_traceback_under_the_id_that_the_page_shows(
    workspace: Workspace, lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with with_a_bug(workspace, monkeypatch) as studio, studio.client() as client:
        answer, page = client.get("/api/broken/some-id"), client.get("/broken")
    assert answer.status_code == page.status_code == 500
    request = answer.headers["X-Request-ID"]
    assert answer.json()["request"] == request and answer.json()["kind"] == "ServerError"
    assert f"<code>{page.headers['X-Request-ID']}</code>" in page.text and "ZeroDivision" not in page.text
    assert page.headers["Content-Security-Policy"], "a failure came without the headers that pages have"
    failed, recorded = [line for line in lines if line.get("request") == request]
    assert (failed["event"], failed["level"], failed["kind"]) == ("request failed", "error", "ZeroDivisionError")
    assert failed["traceback"].endswith("ZeroDivisionError: a bug␛[31m with some-id")
    assert (recorded["status"], recorded["recording"], recorded["level"]) == (500, "some-id", "warning")


def test_what_the_server_s_storage_refuses_is_told_with_an_id_and_logged(
    workspace: Workspace, lines: list[dict[str, Any]]
) -> None:
    with running_studio(workspace) as studio, studio.client() as client:
        connection = sqlite3.connect(workspace.folder / "catalog.sqlite")
        connection.execute("ALTER TABLE recording RENAME TO away")
        answer = client.get("/api/recordings/20261123-094500-00000001")
        connection.execute("ALTER TABLE away RENAME TO recording")
        connection.close()
    assert answer.status_code == 503
    (failed,) = [line for line in lines if line["event"] == "request failed"]
    assert failed["request"] == answer.json()["request"] == answer.headers["X-Request-ID"]
    assert "no such table" in failed["traceback"] and "20261123-094500-00000001" not in failed["traceback"]


def test_the_command_logs_json_lines_and_no_secret_or_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far, near = make_workspace(tmp_path / "far"), make_workspace(tmp_path / "near")
    token = new_account(far, "anna-lena", Role.CONTRIBUTOR, contributor="c001")
    code, _ = Invitations(far.catalog).invite({Role.ANNOTATOR}, who="olivia")
    far.catalog.close()
    made = make_take(near, make_clip(tmp_path / "clip.mp4", frames=10))
    near.catalog.close()
    with served(far.folder, tmp_path, monkeypatch) as (url, errors):
        monkeypatch.setenv("KINESPHERE_TOKEN", token)
        Command(near.folder).run("submit", "--all", "--to", url)
        from httpx import Client

        with Client(base_url=url, trust_env=False, timeout=30) as client:
            client.get("/invitation", params={"code": code})
            client.post("/sign-in", data={"account": "anna-lena", "password": PASSWORD, "next": "/?token=some-secret"})
            client.get("/enter?link=some-secret")
            client.get("/api/uploads/%1b[31m")
            assert client.get("/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}).status_code == 200
    text = errors.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    events = [line["event"] for line in lines]
    assert events[0] == "server started" and events[-1] == "server stops"
    (submitted,) = [line for line in lines if line["event"] == "recording submitted"]
    (begun,) = [line for line in lines if line["event"] == "upload begun"]
    assert submitted["recording"] == begun["recording"] == made.recording and submitted["task"] == "move"
    assert submitted["upload"] == begun["upload"] and begun["bytes"] == made.video.size_bytes
    sent = [line for line in lines if line["event"] == "request" and line.get("upload") == begun["upload"]]
    assert {line["route"] for line in sent} == {"/api/uploads/{upload}"}
    assert len({line["request"] for line in lines if "request" in line}) >= 7
    refused = [line for line in lines if line.get("refusal") == "WrongPassword"]
    assert [line["status"] for line in refused] == [401]
    for secret in (token, code, TOKEN, METRICS_TOKEN, PASSWORD, "anna-lena", "some-secret", "c001", "\x1b"):
        assert secret not in text, secret


@contextmanager
def served(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """The command `serve --log json` as a process; gives its address and the file that stderr goes to."""
    monkeypatch.setenv("KINESPHERE_TOKEN", TOKEN)
    monkeypatch.setenv("KINESPHERE_METRICS_TOKEN", METRICS_TOKEN)
    command, errors = Command(folder), tmp_path / "errors"
    words = command.arguments("serve", "--json", "--port", "0", "--log", "json")
    with errors.open("w") as file, subprocess.Popen(
        words, env=command.environment, stdout=subprocess.PIPE, stderr=file, text=True
    ) as process:  # fmt: skip
        assert process.stdout is not None
        shown = ""
        while not shown.endswith("}\n"):
            line = process.stdout.readline()
            assert line, errors.read_text()
            shown += line
        try:
            yield json.loads(shown)["url"], errors
        finally:
            process.terminate()
            process.wait(30)


def test_a_short_token_for_metrics_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_workspace(tmp_path / "far").catalog.close()
    monkeypatch.setenv("KINESPHERE_METRICS_TOKEN", "short")
    assert "KINESPHERE_METRICS_TOKEN needs at least 16" in Command(tmp_path / "far").error("serve", "--port", "0")
    open_workspace(tmp_path / "far").catalog.close()
