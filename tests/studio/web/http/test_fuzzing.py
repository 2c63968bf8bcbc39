"""No request, however wrong, makes the server fail: what is sent is generated from the description of the API."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from tests.support.filled_studio import Filled, running_filled
from tests.support.studio_server import Studio, routes_of

EXAMPLES = 3
"""Of each operation, person and way."""
WORDS = st.sampled_from(
    ("", "x", "0" * 5000, "..", "%", "%2e%2e", "*", "\u202e", "😀", "שלום", "'; DROP TABLE x; --", "<svg/onload=1>",
     "-1", "1e400", str(10**30), str(2**31), str(2**63), "NaN", "20261123-000000-0000000٠", "9" * 400, "\x7f", "a\nb")
)  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, Filled]]:
    with running_filled(tmp_path_factory.mktemp("fuzzing")) as made:
        yield made


def test_the_description_of_the_api_is_for_operators_and_names_every_route_and_body(
    filled: tuple[Studio, Filled],
) -> None:
    studio, content = filled
    for person, status in (("otto", 200), ("anna", 403), ("carla", 403), ("tim", 401)):
        with studio.client(token=content.tokens[person]) as client:
            answer = client.get("/api/openapi.json")
            assert answer.status_code == status
        if status == 200:
            described = answer.json()
    paths = described["paths"]
    for route in routes_of(studio.app):
        if route.include_in_schema:
            assert {method.lower() for method in route.methods or ()} <= set(paths[route.path]), route.path
    reads_json = {
        (path, method)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }
    assert len(reads_json) >= 18 and ("/api/annotations/{annotation}/operations", "post") in reads_json
    assert "$defs" not in json.dumps(described)


@pytest.mark.parametrize("person", ["nobody", "anna", "otto"])
def test_nothing_that_is_sent_makes_the_server_fail(filled: tuple[Studio, Filled], person: str) -> None:
    studio, content = filled
    failures: dict[str, str] = {}
    with requests.Session() as session:
        session.trust_env = False
        if person != "nobody":
            session.headers["Authorization"] = f"Bearer {content.tokens[person]}"
        schema = schemathesis.openapi.from_dict(studio.app.openapi())
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            # Of a bare address, what is wrong comes from WORDS; schemathesis would search long for more.
            for mode in GenerationMode if operation.body or operation.query else [GenerationMode.POSITIVE]:
                _try(operation, mode, session, studio.url, content.ids(), failures)
    assert not failures, "\n".join(f"{where}: {what}" for where, what in failures.items())


def _try(
    operation: Any,
    mode: GenerationMode,
    session: requests.Session,
    url: str,
    ids: dict[str, list[str]],
    failures: dict[str, str],
) -> None:
    @seed(4)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def send(case: Any, data: st.DataObject) -> None:
        for name in case.path_parameters or {}:
            known = st.sampled_from(ids[name])
            case.path_parameters[name] = data.draw(known | known | WORDS)
        for name in case.query or {}:
            if data.draw(st.integers(0, 2)) == 0:
                case.query[name] = data.draw(WORDS)
        answer = case.call(base_url=url, session=session, allow_redirects=False, timeout=30)
        if answer.status_code >= 500:
            failures[f"{operation.label} {mode.value}"] = f"{case.as_curl_command()} -> {answer.text[:300]}"

    with contextlib.suppress(Unsatisfiable):  # where there is nothing that could be wrong
        send()


def test_ids_of_every_part_of_an_address_are_known(filled: tuple[Studio, Filled], tmp_path: Path) -> None:
    studio, content = filled
    names = {name for route in routes_of(studio.app) for name in route.param_convertors}
    assert names == set(content.ids())
