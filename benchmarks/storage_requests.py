"""Requests for 1,000 windows that a shuffled epoch makes of an object store (a real S3 endpoint, moto)."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.objects.store import open_objects
from storage.publishing.version_writer import write_version

_SHARDS = 3
"""Of the dataset, an hour: moto keeps them in memory and answers some 230 requests a second."""


def requests_per_1000_windows(
    dataset: Dataset, folder: Path, keys: Sequence[str], *, window: int, batch_size: int
) -> list[str]:
    """Count them without a cache, then in the first and second epoch with one; one line each."""
    chosen = dataset.episodes["shard"].unique().slice(0, _SHARDS).to_pylist()
    local = open_objects(folder / "ours")
    with _bucket() as url:
        remote = open_objects(url)
        for shard in chosen:
            for key in local.keys(f"shards/{shard}.zarr"):
                remote.put(key, local.get(key))
        write_version(remote, "tracks", dataset.episodes.slice(0, _SHARDS))
        lines = []
        for cache, name in (
            (None, "no cache"),
            (folder / "cache", "first epoch with a disk cache"),
            (folder / "cache", "second epoch with it"),
        ):
            opened = open_dataset(f"{url}/datasets/tracks", cache=cache)
            stream = opened.stream(window, batch_size, keys, shuffle=True, dtype="int16")
            before = opened.requests
            windows = sum(len(batch["mask"]) for batch in stream)
            lines.append(f"S3, {name}: {1000 * (opened.requests - before) / windows:.2f} requests per 1,000 windows")
    return lines


@contextmanager
def _bucket() -> Iterator[str]:
    """URL of an empty bucket on a server of its own; the environment points to it meanwhile."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it would tell each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    settings = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="bucket")
        yield "s3://bucket/benchmark"
    finally:
        server.stop()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
