"""A server that is killed while people label loses nothing that it has confirmed."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from httpx import Client, HTTPError

from tests.support.annotated_recordings import STEP, waiting
from tests.support.command import Command
from tests.support.submitted_takes import make_workspace

TOKEN = "a-token-for-the-tests"


@contextmanager
def server(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process, and its address."""
    command = Command(folder)
    words = command.arguments("serve", "--json", "--port", "0")
    environment = command.environment | {"KINESPHERE_TOKEN": TOKEN}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            shown = ""
            while not shown.endswith("}\n"):
                line = process.stdout.readline()
                assert line, "the server ended"
                shown += line
            yield process, json.loads(shown)["url"]
            process.terminate()
            process.wait(timeout=20)
        finally:
            process.kill()


def client(url: str) -> Client:
    return Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False, timeout=60)


def made(number: int) -> dict[str, Any]:
    after = {
        "track": "task phase",
        "start_ns": number % 50 * STEP,
        "end_ns": (number % 50 + 5) * STEP,
        "label": "reach",
    }
    return {
        "operation": secrets.token_hex(16),
        "changes": [{"segment": secrets.token_hex(8), "before": None, "after": after}],
    }


def test_a_server_that_is_killed_keeps_what_it_confirmed_and_takes_the_rest_again(tmp_path: Path) -> None:
    place = make_workspace(tmp_path / "place")
    recording = waiting(place, in_store=True)
    place.catalog.close()
    sent, confirmed, enough = list[dict[str, Any]](), list[str](), threading.Event()

    def edit(url: str, address: str) -> None:
        with client(url) as page:
            for number in range(1000):
                wanted = made(number)
                sent.append(wanted)
                try:
                    answer = page.post(f"{address}/operations", json={"operations": [wanted]})
                except HTTPError:
                    return  # in flight when the server was killed
                assert answer.status_code == 200, answer.text
                confirmed.append(wanted["changes"][0]["segment"])
                if len(confirmed) > 20:
                    enough.set()

    with server(place.folder) as (process, url):
        with client(url) as page:
            annotation = page.post(f"/api/recordings/{recording}/annotations").json()["annotation"]
        address = f"/api/annotations/{annotation}"
        with ThreadPoolExecutor(3) as tabs:
            ends = [tabs.submit(edit, url, address) for _ in range(3)]
            assert enough.wait(60)
            process.send_signal(signal.SIGKILL)
            for end in ends:
                end.result()
    names = {wanted["changes"][0]["segment"] for wanted in sent}
    with server(place.folder) as (_, url), client(url) as page:
        kept = {segment["segment"] for segment in page.get(address).json()["segments"]}
        assert set(confirmed) <= kept <= names, "what was confirmed is there, and nothing else that was not sent"
        answer = page.post(f"{address}/operations", json={"operations": sent})
        assert answer.status_code == 200, "sent again, each counts once"
        assert {segment["segment"] for segment in page.get(address).json()["segments"]} == names
        revisions = [row["revision"] for row in page.get(f"{address}/history?limit=1000").json()["operations"]]
        assert revisions == list(range(len(sent), 0, -1))
