"""A server that is killed while people label loses nothing that it has confirmed."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from httpx import Client, HTTPError

from tests.command import Command
from tests.labelled import STEP, waiting
from tests.takes import make_workspace

TOKEN = "a-token-for-the-tests"


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A server process, and its address."""
    command = Command(folder)
    process = subprocess.Popen(
        command.arguments("serve", "--json", "--port", "0"),
        env=command.environment | {"KINESPHERE_TOKEN": TOKEN},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    shown = ""
    while not shown.endswith("}\n"):
        line = process.stdout.readline()
        assert line, "the server ended"
        shown += line
    return process, json.loads(shown)["url"]


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
    process, url = start(place.folder)
    with client(url) as page:
        annotation = page.post(f"/api/recordings/{recording}/annotations").json()["annotation"]
    address, sent, confirmed = f"/api/annotations/{annotation}", list[dict[str, Any]](), list[str]()
    enough = threading.Event()

    def edit() -> None:
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

    tabs = [threading.Thread(target=edit) for _ in range(3)]
    for tab in tabs:
        tab.start()
    assert enough.wait(60)
    process.send_signal(signal.SIGKILL)
    for tab in tabs:
        tab.join()
    process.wait()
    process, url = start(place.folder)
    with client(url) as page:
        kept = {segment["segment"] for segment in page.get(address).json()["segments"]}
        assert set(confirmed) <= kept, "what was confirmed is there"
        assert kept <= {wanted["changes"][0]["segment"] for wanted in sent}
        answer = page.post(f"{address}/operations", json={"operations": sent})
        assert answer.status_code == 200, "sent again, each counts once"
        segments = page.get(address).json()["segments"]
        assert {segment["segment"] for segment in segments} == {wanted["changes"][0]["segment"] for wanted in sent}
        assert len(segments) == len(sent)
        revisions = [row["revision"] for row in page.get(f"{address}/history?limit=1000").json()["operations"]]
        assert revisions == list(range(len(sent), 0, -1))
    process.terminate()
    process.wait(timeout=20)
    for stream in (process.stdout,):
        assert stream is not None
        stream.close()
