"""The cache of this computer's part of an erasure: what readers keep of shards and videos goes too."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kinesphere.objects.cached_objects import CACHE_VARIABLE
from kinesphere.objects.disk_cache import DiskCache
from kinesphere.shards.array_layout import chunk_key
from kinesphere.shards.array_metadata import specs_of
from kinesphere.shards.shard import shard_key
from kinesphere.trajectory import ARRAYS, ArraySpec
from kinesphere.video.video_keys import blurred_key, video_key


def forget_cached(
    urls: Sequence[str], recordings: Iterable[str], shards: Iterable[str], keys: Iterable[str] = ()
) -> None:
    """Remove what the cache of this computer, if it has one, keeps of recordings and shards that were erased.

    Args:
        urls: where they lay, as readers wrote it: a cache knows its objects by their whole address.
        keys: further objects that were erased, such as arrays that a shard had besides the standard ones.
    """
    cache = _cache_here()
    if cache is not None:
        names = [f"{url}/{key}" for url in urls for key in keys]
        for name in [*names, *_names(cache, urls, recordings, shards)]:
            cache.forget(name)


def cached(urls: Sequence[str], recordings: Iterable[str], shards: Iterable[str]) -> list[str]:
    """The objects of recordings and shards of which the cache of this computer keeps something."""
    cache = _cache_here()
    return [] if cache is None else [name for name in _names(cache, urls, recordings, shards) if cache.holds(name)]


def _cache_here() -> DiskCache | None:
    """The cache that readers on this computer use if they name none, if there is one."""
    folder = os.environ.get(CACHE_VARIABLE)
    if not folder or not Path(folder).expanduser().is_dir():
        return None
    return DiskCache(Path(folder).expanduser().absolute())


def _names(cache: DiskCache, urls: Sequence[str], recordings: Iterable[str], shards: Iterable[str]) -> Iterator[str]:
    """The names of all objects; of a shard the metadata last, which tells what its arrays are."""
    keys = [key for recording in recordings for key in (video_key(recording), blurred_key(recording))]
    yield from (f"{url}/{key}" for url in urls for key in keys)
    for prefix in (f"{url}/{shard_key(shard)}" for shard in shards for url in urls):
        specs = {**ARRAYS, **_cached_specs(cache, f"{prefix}/zarr.json")}
        for spec in specs.values():
            yield from (f"{prefix}/{chunk_key(spec)}", f"{prefix}/{spec.name}/zarr.json")
        yield f"{prefix}/zarr.json"


def _cached_specs(cache: DiskCache, name: str) -> dict[str, ArraySpec]:
    """The arrays of a shard, as far as the cache knows: the shard itself is erased by now."""
    content = cache.content(name)
    try:
        return {} if content is None else specs_of(json.loads(content)["consolidated_metadata"]["metadata"])
    except (ValueError, KeyError, TypeError):  # what a reader could not have read either
        return {}
