"""Labelling over HTTP: who may use which endpoint, what is refused and how, and what other tabs hear."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from httpx import Client, Response

from storage.catalog import Role
from storage.recordings.recording import State
from storage.workspace import Workspace
from studio.web.labelling.label_messages import OPERATIONS_LIMIT
from tests.support.annotated_recordings import STEP, TWICE, waiting
from tests.support.studio_server import Studio, new_account, running_studio


@pytest.fixture
def studio(workspace: Workspace) -> Iterator[Studio]:
    for contributor in ("anna", "else"):
        workspace.catalog.add_contributor(contributor)
    with running_studio(workspace) as running:
        yield running


@pytest.fixture
def tokens(studio: Studio) -> dict[str, str]:
    """Tokens of people, by name."""
    people = {
        "ben": ((Role.ANNOTATOR,), None),
        "carla": ((Role.ANNOTATOR, Role.CONTRIBUTOR), "anna"),
        "dora": ((Role.ANNOTATOR,), None),
        "rita": ((Role.REVIEWER,), None),
        "emil": ((Role.CONTRIBUTOR,), "else"),
    }
    return {
        name: new_account(studio.workspace, name, *roles, contributor=contributor)
        for name, (roles, contributor) in people.items()
    }


@pytest.fixture
def ben(studio: Studio, tokens: dict[str, str]) -> Iterator[Client]:
    with studio.client(token=tokens["ben"]) as client:
        yield client


def segment(start: int = 0, end: int = 10, label: Any = "reach", **words: Any) -> dict[str, Any]:
    return {"track": "task phase", "start_ns": start * STEP, "end_ns": end * STEP, "label": label, **words}


def change(after: Any, before: Any = None, name: str | None = None) -> dict[str, Any]:
    return {"segment": name or secrets.token_hex(8), "before": before, "after": after}


def operation(*changes: dict[str, Any], name: str | None = None) -> dict[str, Any]:
    return {"operation": name or secrets.token_hex(16), "changes": list(changes)}


def send(client: Client, annotation: str, *operations: dict[str, Any]) -> Response:
    content = json.dumps({"operations": operations})  # in ASCII: httpx cannot send every string that JSON can hold
    return client.post(f"/api/annotations/{annotation}/operations", content=content)


def begun(client: Client, recording: str) -> str:
    answer = client.post(f"/api/recordings/{recording}/annotations")
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["annotation"])


def test_an_annotation_is_made_changed_undone_shown_and_finished(studio: Studio, ben: Client) -> None:
    recording = waiting(studio.workspace, in_store=True)
    assert ben.get("/api/labelling/queue").json() == {"tasks": {"pour": 1}}
    made = ben.post("/api/labelling/next").json()
    assert (made["recording"], made["purpose"], made["state"]) == (recording, "label", "open")
    assert ben.post("/api/labelling/next", json={"past": [recording]}).status_code == 204
    address = f"/api/annotations/{made['annotation']}"
    first = operation(change(segment(1, 5, object="cup", hand="left", note="slowly")), change(segment(5, 9, "grasp")))
    answer = send(ben, made["annotation"], first)
    assert (answer.status_code, answer.json()["revision"], answer.json()["deleted"]) == (200, 1, [])
    assert send(ben, made["annotation"], first).json() == answer.json()
    shown = ben.get(address).json()
    assert shown["segments"] == answer.json()["segments"]
    assert shown["revision"] == 1 and shown["lease"] is not None
    left, right = shown["segments"]
    merged = operation(
        change(left | {"end_ns": right["end_ns"]}, 1, left["segment"]), change(None, 1, right["segment"])
    )
    answer = send(ben, made["annotation"], merged)
    assert answer.json()["deleted"] == [right["segment"]]
    assert (answer.json()["segments"][0]["end_frame"], answer.json()["segments"][0]["version"]) == (9, 2)
    undo = operation(change(left, 2, left["segment"]), change(right, None, right["segment"]))
    assert send(ben, made["annotation"], undo).json()["revision"] == 3
    without = [{**row, "version": 0} for row in shown["segments"]]
    assert [{**row, "version": 0} for row in ben.get(address).json()["segments"]] == without
    assert ben.get(address, params={"revision": 2}).json()["segments"][0]["end_frame"] == 9
    again = ben.post(f"{address}/restore", json={"revision": 2, "operation": "f" * 32})
    assert again.json() == ben.post(f"{address}/restore", json={"revision": 2, "operation": "f" * 32}).json()
    history = ben.get(f"{address}/history").json()["operations"]
    assert [(row["revision"], row["kind"], row["restored"], row["changed"]) for row in history] == [
        (4, "restore", 2, 2), (3, "edit", None, 2), (2, "edit", None, 2), (1, "edit", None, 2),
    ]  # fmt: skip
    later = ben.get(f"{address}/changes", params={"after": 2}).json()
    assert [row["revision"] for row in later["operations"]] == [3, 4] and not later["more"]
    assert (
        later["operations"][1]["changes"][0]["after"] is None or later["operations"][1]["changes"][1]["after"] is None
    )
    assert ben.post(f"{address}/done", json={"revision": 3}).status_code == 409
    assert ben.post(f"{address}/done", json={"revision": 4}).json()["state"] == "done"
    assert send(ben, made["annotation"], operation(change(segment()))).status_code == 409
    progress = ben.get("/api/labelling/progress").json()
    assert (progress["annotations"], progress["segments"]) == (1, 1)
    assert progress["labelled_ns"] == studio.workspace.catalog.recording(recording).duration_ns
    assert ben.post(f"{address}/reopen").json()["state"] == "open"
    assert ben.post(f"{address}/skip", json={"reason": "too dark"}).json()["reason"] == "too dark"


def test_a_conflict_tells_what_is_there_now(studio: Studio, ben: Client) -> None:
    annotation = begun(ben, waiting(studio.workspace, in_store=True))
    first, second = operation(change(segment(0, 5))), operation(change(segment(5, 9)))
    name = first["changes"][0]["segment"]
    send(ben, annotation, first)
    send(ben, annotation, operation(change(segment(1, 6), 1, name)))
    stale = operation(change(segment(2, 7), 1, name))
    answer = send(ben, annotation, second, stale, operation(change(segment(20, 30))))
    told = answer.json()
    assert (answer.status_code, told["kind"], told["operation"]) == (409, "LabelConflict", stale["operation"])
    assert (told["applied"], told["revision"]) == ([second["operation"]], 3)
    assert [(row["segment"], row["current"]["version"]) for row in told["conflicts"]] == [(name, 2)]
    send(ben, annotation, operation(change(None, 2, name)))
    assert send(ben, annotation, stale).json()["conflicts"] == [{"segment": name, "current": None}]
    assert len(ben.get(f"/api/annotations/{annotation}").json()["segments"]) == 1


UNFIT: tuple[Any, ...] = (
    segment(0, 0), segment(-1, 5), segment(0, 10_000), segment(5, 3), segment(0, 1) | {"start_ns": 2**70},
    segment(0, 1) | {"end_ns": 1.5}, segment(0, 1) | {"end_ns": True}, segment(0, 1) | {"end_ns": "1"},
    segment(label=""), segment(label="a\0b"), segment(label="x" * 100_000), segment(label=None),
    segment(label="dance"), segment(label=["reach"]), segment(object="\ud800"), segment(hand="third"),
    segment(track="head"), segment(note="x" * 1001), segment(note="\x1b"), segment(color="red"), {}, 3, [], "x",
)  # fmt: skip


def is_no_text(after: dict[str, Any]) -> bool:
    """Whether a text of it holds a NUL or half of a character, which no JSON body may."""
    return any("\0" in text or any("\ud800" <= one <= "\udfff" for one in text)
               for text in after.values() if isinstance(text, str))  # fmt: skip


def test_a_segment_that_cannot_be_is_refused_by_name_and_nothing_is_applied(studio: Studio, ben: Client) -> None:
    annotation = begun(ben, waiting(studio.workspace, in_store=True))
    for after in UNFIT:
        good, bad = operation(change(segment())), operation(change(after))
        answer = send(ben, annotation, good, bad)
        told = answer.json()
        assert (answer.status_code, told["kind"]) == (422, "InvalidInput"), after
        # a body with NUL or half a character is refused before any operation of it is looked at
        assert told.get("operation") == bad["operation"] or is_no_text(after), after
        assert len(answer.text) < 500 and "\n" not in told["error"]
    assert ben.get(f"/api/annotations/{annotation}").json()["revision"] == 0


def test_bodies_that_are_no_operations_are_refused(studio: Studio, ben: Client) -> None:
    annotation = begun(ben, waiting(studio.workspace, in_store=True))
    address = f"/api/annotations/{annotation}/operations"
    made = operation(change(segment()))
    for content in (
        b"", b"{}", b"[]", b"null", b"{", b'{"operations": []}', b'{"operations": [{}]}', b"\xff", b"[" * 100_000,
        json.dumps({"operations": [made | {"operation": "x"}]}).encode(),
        json.dumps({"operations": [made | {"changes": []}]}).encode(),
        json.dumps({"operations": [made] * 1001}).encode(),
        json.dumps({"operations": [operation(change(None))]}).encode(),
        json.dumps({"operations": [operation(change(segment(), -1))]}).encode(),
        json.dumps({"operations": [operation(change(segment(), 2**31))]}).encode(),
        json.dumps({"operations": [operation(made["changes"][0], made["changes"][0])]}).encode(),
        json.dumps({"operations": [made]}).replace(str(10 * STEP), "NaN").encode(),
        json.dumps({"operations": [made]}).replace(str(10 * STEP), "1e999").encode(),
    ):  # fmt: skip
        answer = ben.post(address, content=content)
        assert (answer.status_code, answer.json()["kind"]) == (422, "InvalidInput"), content[:100]
    assert ben.post(address, content=b"x" * (OPERATIONS_LIMIT + 1)).status_code == 413
    for query in ("after=-1", f"after={2**31}", "after=x"):
        assert ben.get(f"/api/annotations/{annotation}/changes?{query}").status_code == 422
    for name in ("x", "0" * 16, "%00", "0" * 10_000):
        none = 400 if name == "%00" else 404
        assert ben.get(f"/api/annotations/{name}").status_code == none, name
        assert ben.post(f"/api/annotations/{name}/operations", json={"operations": [made]}).status_code == none
        assert ben.post(f"/api/recordings/{name}/annotations").status_code == none
    for sent in ({"task": "\0"}, {"past": ["\0"]}, {"task": "nothing"}, {"x": 1}, {"past": "x"}):
        assert ben.post("/api/labelling/next", json=sent).status_code in (404, 422), sent
    for since in ("x", "1900-01-01", "2999-01-01T00:00:00Z"):
        assert ben.get("/api/labelling/progress", params={"since": since}).status_code == 422
    assert ben.get(f"/api/annotations/{annotation}").json()["revision"] == 0


def test_right_to_left_text_and_emoji_come_back_as_they_were_sent(studio: Studio, ben: Client) -> None:
    annotation = begun(ben, waiting(studio.workspace, in_store=True))
    note = "המזיגה איטית 👨‍👩‍👧 <script>alert(1)</script>"
    assert send(ben, annotation, operation(change(segment(note=note)))).status_code == 200
    assert ben.get(f"/api/annotations/{annotation}").json()["segments"][0]["note"] == note


def test_ten_thousand_segments_fit_in_one_operation(studio: Studio, ben: Client) -> None:
    annotation = begun(ben, waiting(studio.workspace, in_store=True))
    many = operation(*(change(segment(number % 50, number % 50 + 2, note="é" * 60)) for number in range(10_000)))
    answer = send(ben, annotation, many)
    assert (answer.status_code, len(answer.json()["segments"])) == (200, 10_000)
    assert len(ben.get(f"/api/annotations/{annotation}").json()["segments"]) == 10_000
    half = [operation(*many["changes"][:10_001]), operation(*many["changes"]), operation(change(segment()))]
    assert send(ben, annotation, *half).status_code in (413, 422)


def test_who_may_use_which_endpoint(studio: Studio, ben: Client, tokens: dict[str, str]) -> None:
    recording = waiting(studio.workspace, in_store=True)
    annotation = begun(ben, recording)
    send(ben, annotation, operation(change(segment())))
    of_one = [
        ("GET", ""), ("GET", "/changes"), ("GET", "/history"), ("GET", "/events"), ("POST", "/renew"),
        ("POST", "/done"), ("POST", "/reopen"), ("POST", "/skip"), ("POST", "/operations"), ("POST", "/restore"),
    ]  # fmt: skip
    bodies = {
        "/skip": {"reason": "no"}, "/operations": {"operations": [operation(change(segment()))]},
        "/restore": {"revision": 0},
    }  # fmt: skip
    for_annotators = [
        *((method, f"/api/annotations/{annotation}{path}", bodies.get(path)) for method, path in of_one),
        ("GET", f"/api/adjudications/{annotation}", None),
        ("POST", f"/api/recordings/{recording}/annotations", None),
        ("POST", "/api/labelling/next", None),
        ("GET", "/api/labelling/queue", None),
        ("GET", "/api/labelling/progress", None),
    ]
    for_operators = [
        ("GET", f"/api/recordings/{recording}/annotations", None),
        ("PUT", "/api/labelling/priority", {"priority": 1, "recording": recording}),
    ]
    for name in ("rita", "emil"):
        with studio.client(token=tokens[name]) as client:
            for method, path, body in [*for_annotators, *for_operators]:
                assert client.request(method, path, json=body).status_code == 403, (name, method, path)
    with studio.client(token=tokens["dora"]) as client:
        for method, path, body in [*for_annotators[:11], *for_operators]:
            assert client.request(method, path, json=body).status_code == 403, (method, path)
    with studio.client() as operator:
        for method, path, body in for_operators:
            assert operator.request(method, path, json=body).status_code == 200
        shown = operator.get("/api/labelling/queue").json()["recordings"]
        assert [(row["recording"], row["priority"], row["held_by"]) for row in shown] == [(recording, 1, ["ben"])]
        assert operator.get(f"/api/annotations/{annotation}").status_code == 200
        assert send(operator, annotation, operation(change(segment()))).status_code == 200
        for sent in ({"priority": 1}, {"priority": 1, "task": "pour", "recording": recording}, {"priority": 10**6}):
            assert operator.put("/api/labelling/priority", json=sent).status_code == 422
        assert operator.put("/api/labelling/priority", json={"priority": 1, "task": "fold"}).status_code == 404
    history = ben.get(f"/api/annotations/{annotation}/history").json()["operations"]
    assert [row["who"] for row in history] == ["olivia", "ben"]


def test_an_annotator_does_not_get_their_own_recording_nor_see_another_s_work(
    studio: Studio, ben: Client, tokens: dict[str, str]
) -> None:
    recording = waiting(studio.workspace, task=TWICE, in_store=True)
    with studio.client(token=tokens["carla"]) as carla, studio.client(token=tokens["dora"]) as dora:
        assert carla.post("/api/labelling/next").status_code == 204, "carla records as anna"
        assert carla.post(f"/api/recordings/{recording}/annotations").status_code == 409
        first, second = begun(ben, recording), begun(dora, recording)
        assert first != second
        for client, other in ((ben, second), (dora, first)):
            assert client.get(f"/api/annotations/{other}").status_code == 403
        send(ben, first, operation(change(segment(0, 10))))
        for client, own in ((ben, first), (dora, second)):
            assert client.post(f"/api/annotations/{own}/done").status_code == 200
        assert ben.post("/api/labelling/next").status_code == 204
    with studio.client() as olivia:
        made = olivia.post("/api/labelling/next").json()
        assert (made["recording"], made["purpose"]) == (recording, "adjudicate")
        shown = olivia.get(f"/api/adjudications/{made['annotation']}").json()
        assert [(side["annotator"], len(side["segments"])) for side in shown["sides"]] == [("ben", 1), ("dora", 0)]
        assert olivia.get(f"/api/adjudications/{first}").status_code == 409


def test_a_recording_that_is_taken_back_while_it_is_labelled_is_gone(studio: Studio, ben: Client) -> None:
    recording = waiting(studio.workspace, in_store=True)
    annotation = begun(ben, recording)
    studio.workspace.catalog.withdraw(recording, who="anna", why="my face shows")
    answer = send(ben, annotation, operation(change(segment())))
    assert (answer.status_code, answer.json()["kind"]) == (410, "Withdrawn")
    assert "taken back by its contributor" in answer.json()["error"]
    for path in ("", "/changes", "/history", "/events"):
        assert ben.get(f"/api/annotations/{annotation}{path}").status_code == 410
    assert ben.post(f"/api/recordings/{recording}/annotations").status_code == 410
    assert ben.post("/api/labelling/next").status_code == 204
    assert studio.workspace.catalog.events(recording)[-1].to_state is State.WITHDRAWN


def test_a_recording_without_a_trajectory_is_not_labelled(studio: Studio, ben: Client) -> None:
    from sqlalchemy import delete

    from storage.catalog.tables import TrajectoryTable

    recording = waiting(studio.workspace)
    with studio.workspace.catalog.writing() as session:
        session.execute(delete(TrajectoryTable))
    assert ben.post("/api/labelling/next").status_code == 204
    answer = ben.post(f"/api/recordings/{recording}/annotations")
    assert answer.status_code == 409 and "is not extracted yet" in answer.json()["error"]


def test_another_tab_hears_of_a_change_at_once_and_goes_on_where_it_was(
    studio: Studio, ben: Client, tokens: dict[str, str]
) -> None:
    annotation = begun(ben, waiting(studio.workspace, in_store=True))
    made = [operation(change(segment(number, number + 5))) for number in range(3)]
    send(ben, annotation, made[0])
    heard, listening = list[dict[str, Any]](), threading.Event()

    def listen(headers: dict[str, str], count: int) -> None:
        with (
            studio.client(token=tokens["ben"]) as tab,
            tab.stream("GET", f"/api/annotations/{annotation}/events", headers=headers) as stream,
        ):
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            for line in stream.iter_lines():
                listening.set()
                if line.startswith("data: "):
                    heard.append(json.loads(line.removeprefix("data: ")))
                    if len(heard) == count:
                        return

    tab = threading.Thread(target=listen, args=({}, 2))
    tab.start()
    assert listening.wait(20)
    send(ben, annotation, made[1])
    tab.join(20)
    assert [row["operation"] for row in heard] == [made[0]["operation"], made[1]["operation"]]
    assert heard[1]["changes"][0]["after"]["start_frame"] == 1
    send(ben, annotation, made[2])
    heard.clear()
    listen({"Last-Event-ID": "2"}, 1)
    assert [row["revision"] for row in heard] == [3]
