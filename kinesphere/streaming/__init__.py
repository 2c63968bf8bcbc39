"""Streaming: windows of episodes in batches, every window once an epoch, from disk or object storage.

How windows are streamed: `stream_settings.py` holds what may be asked for, `stream_choice.py` finds it in a version,
and `stream.py` carries it out and knows where in an epoch it is.

`episode_spans.py` says where the frames of the chosen episodes lie in shards. `window_index.py` says which windows
there are, `window_shape.py` and `time_grid.py` how they lie in time, and `epoch.py` in which order they come;
`sampling.py` decides how often each is drawn.

From there it goes one of two ways. By default whole blocks of frames are decoded into pools (`pools.py`), from which
`block_pools.py` draws windows while the next pool is read. With `sampling="random"`, `random_windows.py` reads the
windows of the next batches one by one. Either way `batches.py` cuts the windows out, and `resampling.py` interpolates
where a rate is asked for; transforms then work on the batch alone.
"""
