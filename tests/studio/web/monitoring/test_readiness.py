"""Whether the server is alive and ready: asked of a real one whose catalog, store or disk fails."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.catalog import Role
from storage.workspace import Workspace, create_workspace, open_workspace
from studio.web.monitoring import readiness
from studio.web.monitoring.readiness import PROBE_KEY, Readiness
from studio.web.monitoring.timed_look import TimedLook
from tests.support import own_loop
from tests.support.studio_server import MONITORING_TOKEN, Studio, new_account, running_studio


def asked(studio: Studio, token: str | None = None) -> tuple[int, dict[str, object]]:
    with studio.client(token=token) as client:
        answer = client.get("/ready")
    return answer.status_code, answer.json()


@pytest.fixture
def studio(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    monkeypatch.setattr(readiness, "LEAST_FREE", 1)
    with running_studio(workspace) as started:
        yield started


def test_a_server_is_alive_and_ready_and_says_so_to_everybody(studio: Studio) -> None:
    with studio.client(token=None) as client:
        assert (client.get("/health").status_code, client.get("/health").json()) == (200, {"alive": True})
        assert client.head("/health").status_code == client.head("/ready").status_code == 200
    assert asked(studio) == (200, {"ready": True, "reasons": []})
    assert not studio.workspace.objects.exists(PROBE_KEY), "what was written to see whether it can be is left"


def test_a_store_that_cannot_be_written_is_told_and_the_operator_learns_why(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace.folder / "temporary").write_text("a file where a folder should be")  # root writes anywhere else
    monkeypatch.setattr(readiness, "LEAST_FREE", 1)
    with running_studio(workspace) as studio:
        expected = {"ready": False, "reasons": ["the store cannot be written and read"]}
        assert asked(studio) == (503, expected)
        assert asked(studio, new_account(workspace, "anna", Role.ANNOTATOR)) == (503, expected)
        for token in (MONITORING_TOKEN, "a-token-for-the-tests"):
            status, answer = asked(studio, token)
            assert status == 503 and str(workspace.folder) in str(answer["details"])
        with studio.client(token=None) as client:
            assert client.get("/health").status_code == 200, "restarting it would not help"


def test_a_damaged_catalog_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_workspace(tmp_path / "place").catalog.close()
    workspace = open_workspace(tmp_path / "place")
    monkeypatch.setattr(readiness, "LEAST_FREE", 1)
    with running_studio(workspace) as studio:
        workspace.catalog.close()
        for file in workspace.folder.glob("catalog.sqlite*"):
            file.write_bytes(b"no database" * 1000)
        status, answer = asked(studio)
    assert (status, answer["reasons"]) == (503, ["the catalog does not answer"])


def test_a_full_disk_is_told(small_disk: Path) -> None:
    workspace = create_workspace(small_disk / "workspace")
    with running_studio(workspace) as studio:
        status, answer = asked(studio)
        _, details = asked(studio, MONITORING_TOKEN)
    workspace.catalog.close()
    assert (status, answer["reasons"]) == (503, ["the disk has no room"])
    assert "MiB free, and needs 256" in str(details["details"])


def test_what_hangs_takes_one_thread_however_many_ask(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    release, looks = threading.Event(), []

    def hang(_catalog: object) -> None:
        looks.append(1)
        release.wait(60)

    monkeypatch.setattr(readiness, "check_answers", hang)
    monkeypatch.setattr(readiness, "LEAST_FREE", 1)
    ready = Readiness(workspace, wait_seconds=0.2)

    async def many() -> list[list[str]]:
        asking = [ready.lacks() for _ in range(50)]
        return [[lack.reason for lack in lacks] for lacks in await asyncio.gather(*asking)]

    begun = time.monotonic()
    assert own_loop.run(many()) == [["the catalog does not answer"]] * 50
    assert time.monotonic() - begun < 10 and len(looks) == 1
    release.set()


def test_what_was_found_is_kept_for_a_while_and_then_looked_up_again() -> None:
    found = iter(range(10))
    look = TimedLook(lambda: next(found), kept_seconds=0.2)

    async def twice() -> tuple[int, int, int]:
        first, again = await look.found(), await look.found()
        await asyncio.sleep(0.3)
        return first, again, await look.found()

    assert own_loop.run(twice()) == (0, 0, 1)
