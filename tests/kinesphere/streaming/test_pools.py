"""Reading blocks into a pool: what touches in a shard is read at once, and every slot holds its own frames."""

from contextlib import closing
from typing import Any

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kinesphere.objects.store import Objects
from kinesphere.shards.shard import OpenShards, Shard
from kinesphere.streaming.episode_spans import Spans
from kinesphere.streaming.pool_layout import PoolLayout
from kinesphere.streaming.pools import PoolLoader
from kinesphere.streaming.window_index import index_windows
from kinesphere.trajectory import BASIC_ARRAYS
from storage.shards.shard_writer import ShardRecord
from tests.support.generated_trajectories import make_row, make_table


class CountingShards(OpenShards):
    """Shards that note the frames that were asked of them."""

    def __init__(self, objects: Objects) -> None:
        super().__init__(objects)
        self.asked: list[tuple[int, int]] = []

    def read_into(self, shard_id: str, name: str, start: int, out: NDArray[Any]) -> None:
        """Read, and note the frames."""
        self.asked.append((start, start + len(out)))
        super().read_into(shard_id, name, start, out)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spans=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1200), st.integers(1, 300)), min_size=1, max_size=12),
    run_frames=st.sampled_from([1, 300, 4096]),
)
@example(spans=[(0, 0, 300), (0, 10, 5), (0, 400, 20)], run_frames=4096)  # one inside another
def test_every_slot_holds_its_frames_and_nothing_is_read_twice(
    store: Objects, two_shards: list[ShardRecord], spans: list[tuple[int, int, int]], run_frames: int
) -> None:
    rows = [
        make_row(two_shards[shard], episode=f"e{place}", first_frame=first, length=length)
        for place, (shard, first, length) in enumerate(spans)
    ]
    places = np.arange(len(rows), dtype=np.int64)
    chosen = Spans.of(make_table(rows), places)
    shards = CountingShards(store)
    index = index_windows(chosen.length, 400, 1, 400)
    with closing(
        PoolLoader(shards, chosen, index, PoolLayout.of([BASIC_ARRAYS["grip"]], in_units=True), run_frames)
    ) as loader:
        pool = loader.begin(places)()
    for place, (shard, first, length) in enumerate(spans):
        want = Shard(store, two_shards[shard].shard_id).read("grip", first, first + length)
        slot = slice(int(pool.first[place]), int(pool.first[place] + pool.length[place]))
        np.testing.assert_array_equal(pool.frames["grip"][slot], want)
    assert all(stop - start <= max(run_frames, 300) for start, stop in shards.asked)
    assert len(shards.asked) <= len(spans)
    if run_frames == 4096:
        gaps = _gaps_of_a_chunk(spans)
        assert len(shards.asked) == len({shard for shard, _, _ in spans}) + gaps


def _gaps_of_a_chunk(spans: list[tuple[int, int, int]]) -> int:
    """How many stretches of 256 frames or more lie between the spans of a shard."""
    gaps = 0
    for shard in (0, 1):
        stop = None
        for _, first, length in sorted(span for span in spans if span[0] == shard):
            gaps += stop is not None and first >= stop + 256
            stop = max(stop or 0, first + length)
    return gaps
