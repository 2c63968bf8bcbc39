"""How many uploads may lie on a server and how large they may be, and how they are ended."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from capture.drafts.upload import end_upload
from kinesphere.errors import InvalidInput
from storage.catalog import Role
from storage.workspace import create_workspace
from studio.web.uploads.upload_quota import UploadQuota
from tests.support.studio_server import Studio, new_account, running_studio

TUS = {"Tus-Resumable": "1.0.0"}
PART = TUS | {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
QUOTA = UploadQuota(uploads_each=3, bytes_each=1000, uploads=5, bytes_in_all=1800)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    workspace = create_workspace(tmp_path_factory.mktemp("quota") / "w")
    with running_studio(workspace, quota=QUOTA) as running:
        yield running
    workspace.catalog.close()


@pytest.fixture(scope="module")
def tokens(studio: Studio) -> tuple[str, str]:
    anna, berta = (
        new_account(studio.workspace, name, Role.CONTRIBUTOR, contributor=f"c-{name}") for name in ("anna", "berta")
    )
    return anna, berta


@pytest.fixture
def people(studio: Studio, tokens: tuple[str, str]) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    with studio.client(token=tokens[0]) as anna, studio.client(token=tokens[1]) as berta:
        yield anna, berta
        for path in (studio.workspace.folder / "uploads").iterdir():
            path.unlink()


def begin(client: httpx.Client, length: int | None) -> httpx.Response:
    header = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
    return client.post("/api/uploads", headers=TUS | header)


def test_a_contributor_has_so_many_uploads_and_an_ended_one_makes_room(
    people: tuple[httpx.Client, httpx.Client],
) -> None:
    anna, berta = people
    first, *others = (begin(anna, 10) for _ in range(4))
    assert [answer.status_code for answer in (first, *others)] == [201, 201, 201, 429]
    assert "you have 3 uploads here that are not handed in, and may have 3" in others[-1].json()["error"]
    assert begin(berta, 10).status_code == 201  # nobody else suffers from it
    location = first.headers["Location"]
    assert anna.patch(location, headers=PART, content=b"x" * 10).status_code == 204  # whole, and not handed in
    assert begin(anna, 10).status_code == 429
    ended = anna.delete(location, headers=TUS)
    assert (ended.status_code, ended.headers["Tus-Resumable"]) == (204, "1.0.0")
    assert begin(anna, 10).status_code == 201


def test_uploads_are_held_to_their_size_together_also_where_it_is_told_later(
    people: tuple[httpx.Client, httpx.Client],
) -> None:
    anna, berta = people
    assert begin(anna, 600).status_code == 201
    assert begin(anna, 401).status_code == 413
    location = begin(anna, None).headers["Location"]
    assert anna.patch(location, headers=PART, content=b"x" * 401).status_code == 413
    offset = int(anna.head(location, headers=TUS).headers["Upload-Offset"])
    settled = PART | {"Upload-Offset": str(offset), "Upload-Length": "401"}
    assert anna.patch(location, headers=settled, content=b"").status_code == 413
    rest = PART | {"Upload-Offset": str(offset)}
    assert anna.patch(location, headers=rest, content=b"x" * (400 - offset)).status_code == 204
    assert begin(berta, 801).status_code == 507  # of all there may be 1800
    assert begin(berta, 800).status_code == 201


def test_all_together_have_so_many_uploads(people: tuple[httpx.Client, httpx.Client]) -> None:
    anna, berta = people
    assert [begin(client, 1).status_code for client in (anna, anna, anna, berta, berta)] == [201] * 5
    full = begin(berta, 1)
    assert full.status_code == 507 and "no more room for uploads" in full.json()["error"]


def test_an_upload_is_ended_by_its_owner_alone_and_is_gone_then(
    people: tuple[httpx.Client, httpx.Client], studio: Studio
) -> None:
    anna, berta = people
    assert "termination" in anna.options("/api/uploads").headers["Tus-Extension"].split(",")
    location = begin(anna, 10).headers["Location"]
    assert berta.delete(location, headers=TUS).status_code == 404
    assert anna.delete(location).status_code == 412
    assert anna.head(location, headers=TUS).status_code == 200
    assert anna.delete(location, headers=TUS).status_code == 204
    assert list((studio.workspace.folder / "uploads").iterdir()) == []
    assert [anna.head(location, headers=TUS).status_code, anna.delete(location, headers=TUS).status_code] == [404, 404]
    assert anna.patch(location, headers=PART, content=b"x").status_code == 404


def test_a_draft_that_is_thrown_away_leaves_no_part_of_it_on_the_server(
    people: tuple[httpx.Client, httpx.Client], tokens: tuple[str, str], studio: Studio
) -> None:
    anna, _ = people
    location = begin(anna, 10).headers["Location"]
    begun = studio.workspace.drafts / "a-draft" / "upload.json"
    begun.parent.mkdir(parents=True)
    begun.write_text(json.dumps({"server": studio.url, "location": location}))
    with pytest.raises(InvalidInput, match="the token is missing or wrong"):
        end_upload(studio.workspace, "a-draft", "wrong")
    assert end_upload(studio.workspace, "a-draft", tokens[0]) == studio.url
    assert anna.head(location, headers=TUS).status_code == 404
    assert end_upload(studio.workspace, "a-draft", tokens[0]) is None
