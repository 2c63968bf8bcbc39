"""The cache of this computer's part of an erasure: what readers keep of shards and videos goes too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kinesphere.objects.cached_objects import CACHE_VARIABLE
from kinesphere.objects.disk_cache import DiskCache
from kinesphere.shards.array_layout import chunk_key
from kinesphere.shards.shard import shard_key
from kinesphere.trajectory import ARRAYS
from kinesphere.video.video_keys import blurred_key, video_key


def forget_cached(urls: Sequence[str], recordings: Iterable[str], shards: Iterable[str]) -> None:
    """Remove what the cache of this computer, if it has one, keeps of recordings and shards that were erased.

    Args:
        urls: where they lay, as readers wrote it: a cache knows its objects by their whole address.
    """
    cache = _cache_here()
    if cache is not None:
        for name in _names(urls, recordings, shards):
            cache.forget(name)


def cached(urls: Sequence[str], recordings: Iterable[str], shards: Iterable[str]) -> list[str]:
    """The objects of recordings and shards of which the cache of this computer keeps something."""
    cache = _cache_here()
    return [] if cache is None else [name for name in _names(urls, recordings, shards) if cache.holds(name)]


def _cache_here() -> DiskCache | None:
    """The cache that readers on this computer use if they name none, if there is one."""
    folder = os.environ.get(CACHE_VARIABLE)
    if not folder or not Path(folder).expanduser().is_dir():
        return None
    return DiskCache(Path(folder).expanduser().absolute())


def _names(urls: Sequence[str], recordings: Iterable[str], shards: Iterable[str]) -> Iterator[str]:
    of_shard = ["zarr.json"]
    of_shard += [key for spec in ARRAYS.values() for key in (chunk_key(spec), f"{spec.name}/zarr.json")]
    keys = [key for recording in recordings for key in (video_key(recording), blurred_key(recording))]
    keys += [f"{shard_key(shard)}/{name}" for shard in shards for name in of_shard]
    return (f"{url}/{key}" for url in urls for key in keys)
