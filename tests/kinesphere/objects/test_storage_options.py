"""How object stores are reached: options, the environment, and who is asked for credentials."""

import http.server
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinesphere.dataset import open_dataset
from kinesphere.errors import InvalidInput, NotFound, StorageFailed
from kinesphere.objects.storage_options import INSTANCE_VARIABLE, remote_store
from kinesphere.objects.store import Objects, open_objects
from tests.support.generated_trajectories import make_dataset

SECRET = {"access_key_id": "test", "secret_access_key": "test"}


@pytest.fixture
def endpoint(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of which the environment says nothing any more."""
    import os

    address = os.environ["AWS_ENDPOINT_URL"]
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    return address


@pytest.fixture
def metadata_address() -> Iterator[tuple[str, list[str]]]:
    """What answers like the metadata address of a cloud, and what it was asked for."""
    asked: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def test_a_dataset_is_reached_by_options_alone(s3_url: str, endpoint: str) -> None:
    options = {"endpoint": endpoint, "region": "us-east-1", "allow_http": True, **SECRET}
    make_dataset(open_objects(f"{s3_url}/options", options=options), "kitchen", {"anna": [80]})
    dataset = open_dataset(f"{s3_url}/options/datasets/kitchen", storage_options=options)
    assert dataset.episode(0)["grip"].shape == (80, 2)
    again = pickle.loads(pickle.dumps(dataset))
    assert sum(len(batch["frame"]) for batch in again.stream(16, 20, ["grip"])) == 65
    assert "test" not in repr(dataset.objects.raw), "nobody reads credentials in a log"


def test_an_endpoint_without_encryption_has_to_be_wanted(s3_url: str, endpoint: str) -> None:
    with pytest.raises(InvalidInput, match="add 'allow_http': True to storage_options"):
        open_dataset(f"{s3_url}/datasets/kitchen", storage_options={"endpoint": endpoint, **SECRET})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"regoin": "us-east-1"}, "'regoin' is not valid"),
        ("region", "should be a mapping"),
        ([1], "should be a mapping"),
    ],
)
def test_wrong_options_are_refused(options: object, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        remote_store("s3://bucket/prefix", options)  # type: ignore[arg-type]


def test_options_are_not_for_folders(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="leave them out"):
        open_dataset(tmp_path / "datasets/kitchen", storage_options={"region": "us-east-1"})


def test_without_credentials_nobody_asks_a_metadata_address(
    s3_url: str, endpoint: str, metadata_address: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, asked = metadata_address
    options = {"endpoint": endpoint, "region": "us-east-1", "allow_http": True, "instance_credentials": False}
    with pytest.raises(NotFound):
        open_dataset(f"{s3_url}/datasets/kitchen", storage_options=options)
    for url, environment in (
        ("s3://bucket/prefix", {}),
        ("gs://bucket/prefix", {}),
        ("az://container/prefix", {"AZURE_STORAGE_ACCOUNT_NAME": "account"}),
    ):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert remote_store(url).config["skip_signature"]  # type: ignore[union-attr]
        assert "skip_signature" not in remote_store(url, {"instance_credentials": True}).config  # type: ignore[union-attr]
    monkeypatch.setenv(INSTANCE_VARIABLE, "1")
    assert "skip_signature" not in remote_store("s3://bucket/prefix").config  # type: ignore[union-attr]

    # who names the address wants it to be asked
    told = remote_store("s3://bucket/prefix", {"metadata_endpoint": address, **options})
    with pytest.raises(StorageFailed):
        Objects("s3://bucket/prefix", told).get("a")
    assert any("token" in path or "security-credentials" in path for path in asked)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://bucket/prefix", "AWS_ACCESS_KEY_ID"),
        ("s3://bucket/prefix", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        ("gs://bucket/prefix", "GOOGLE_BEARER_TOKEN"),
        ("az://container/prefix", "AZURE_STORAGE_SAS_TOKEN"),
    ],
)
def test_credentials_of_the_environment_are_used(url: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv(name, "sig=abc" if "SAS" in name else "/abc")
    if name == "AWS_ACCESS_KEY_ID":
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abc")
    assert "skip_signature" not in remote_store(url).config  # type: ignore[union-attr]
