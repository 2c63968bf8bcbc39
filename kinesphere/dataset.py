"""Datasets: what a training run opens. Needs the object store alone, no catalog and no server."""

from __future__ import annotations

import operator
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput, NotFound
from kinesphere.names import checked_name
from kinesphere.objects.cached_objects import with_cache
from kinesphere.objects.storage_options import StorageOptions
from kinesphere.objects.store import open_objects
from kinesphere.streaming.stream import WindowStream
from kinesphere.streaming.stream_settings import StreamSettings, takes_settings
from kinesphere.streaming.whole_episode import read_episode
from kinesphere.transforms.relative_actions import RelativeActions
from kinesphere.transforms.rotations import Form
from kinesphere.versions.manifests import read_version
from kinesphere.versions.open_version import OpenVersion

if TYPE_CHECKING:
    from kinesphere.statistics.frame_passes import OnProgress
    from kinesphere.statistics.statistics import Statistics
    from kinesphere.training.torch_dataset import TorchDataset


def open_dataset(
    location: str | Path,
    version: int | None = None,
    *,
    verify: bool = False,
    cache: str | Path | None = None,
    cache_bytes: int | None = None,
    storage_options: StorageOptions | None = None,
) -> Dataset:
    """Open a version of a dataset, by default the newest.

    Args:
        location: `<workspace>/datasets/<name>`, a folder or a URL such as `s3://bucket/prefix/datasets/<name>`.
        version: number of the version.
        verify: compare the hash of every object when it is first read. Without it, checksums inside the objects
            still find accidental damage; with it, also a deliberate change.
        cache: a local folder in which shards and videos that were read are kept; see
            `kinesphere.objects.disk_cache`. By default what `KINESPHERE_DATA_CACHE` names for data in an object store,
            and none for local folders.
        cache_bytes: how much it may hold, at least 64 MiB; 50 GiB by default. What was read longest ago goes first.
        storage_options: how an object store is reached, where the environment does not say so: for S3 and what speaks
            like it "endpoint", "region", "access_key_id", "secret_access_key" and "session_token"; "allow_http": True
            for an endpoint without encryption; "timeout", "proxy_url" and the like; for Google "service_account", for
            Azure "account_name" and "account_key"; all names that obstore knows. They override the environment
            (`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ALLOW_HTTP`, ...),
            and go along with the dataset to streams, loaders and their workers. Without credentials requests are not
            signed, as for public data; those of the machine are asked for at the metadata address of its cloud only
            with "instance_credentials": True, or `KINESPHERE_INSTANCE_CREDENTIALS=1`.

    Returns:
        The version, of which the manifest was read and, if it is small, the table of episodes. Manifests are never
        cached. An erasure cannot reach a cache: run `clear_cache(folder)` where the data was read.

    Raises:
        InvalidInput: the location is not of this form, there is no such folder, an option is unknown, or the cache
            cannot be used.
        NotFound: there is no such dataset or version.
        Withdrawn: people in it took their recordings back; the error names the version that replaces it.
        NewerFormat: a later release wrote it.
        CorruptObject: its manifest or table is damaged; a large table is read when it is needed.
    """
    place, _, name = os.fspath(location).rstrip("/").rpartition("/")
    root, _, folder = place.rpartition("/")
    if folder != "datasets":
        raise InvalidInput(f"'{location}' is no dataset; give <workspace>/datasets/<name>")
    objects = open_objects(root or ("/" if place.startswith("/") else "."), options=storage_options)
    found = read_version(objects, checked_name("dataset", name), version)
    return Dataset(with_cache(objects, cache, cache_bytes), found, verify=verify)


class Dataset(OpenVersion):
    """One version of a dataset. Opened with `open_dataset`; it can be pickled, and used after a fork."""

    def __repr__(self) -> str:
        counts = self.manifest["counts"]
        return f"<Dataset {self.name}@{self.version}: {counts['episodes']} episodes, {counts['frames']} frames>"

    def __getitem__(self, row: int) -> dict[str, NDArray[Any]]:
        """All frames of the episode in a row of `episodes`, counted from the end if negative.

        Args:
            row: its row.

        Returns:
            See `episode`, which also takes ids, keys and a rate.

        Raises:
            InvalidInput: this is no whole number.
            IndexError: there is no such row.
        """
        if not isinstance(row, int | np.integer):
            raise InvalidInput(f"dataset[row] takes the row of an episode, got {row!r}; dataset.episode takes ids")
        if not -len(self) <= row < len(self):
            raise IndexError(f"{self.name}@{self.version} has rows 0 to {len(self) - 1}, not {row}")
        return self.episode(int(row) % len(self))

    def episode(
        self,
        which: int | str,
        keys: Sequence[str] | None = None,
        *,
        rate: float | None = None,
        video_size: tuple[int, int] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """All frames of an episode.

        Args:
            which: its row in `episodes`, or its id.
            keys: names of arrays, and "video"; all arrays that the episode's shard has by default.
            rate: frames per second to resample to; by default frames are as they were recorded.
            video_size: height and width to scale the video to.

        Returns:
            One array a key, shape `(frames, ...)`: float32 in the units of `Dataset.arrays` with NaN where
            missing; `timestamp` is int64 nanoseconds since the recording began, `valid` uint8 bit flags.
            With the key "video", which is not among the default ones, uint8 `(frames, height, width, 3)`, RGB,
            upright, scaled if `video_size` gives a height and width. For what `rate` does to each, see `stream`.

        Raises:
            NotFound: there is no such episode.
            InvalidInput: the episode has no such array, the version has no video, the episode's takes more than 2 GiB
                at this size, or the rate is out of range.
            CorruptObject: an object of its shard is missing or damaged.
            Withdrawn: the version was withdrawn since it was opened.
        """
        return read_episode(self, self._row(which), keys, rate, video_size)

    @takes_settings(StreamSettings)
    def stream(self, settings: StreamSettings) -> WindowStream:
        """Stream windows of `window` frames, with `history` frames before and `future` frames after each, in batches.

        Each batch is a dict. Every key gives `[B, W, ...]`, W being history + window + future: float32 in its units,
        NaN where missing or padded (`timestamp` stays int64 and `valid` uint8, 0 where padded). `mask` is bool
        `[B, W]`, False where it is padded: an episode is shorter than the window, or history or future reach out of
        it. `episode` is int64 `[B]`, the row in `episodes`; `frame` int64 `[B]`, the window's own first frame
        in its episode, which stands at place `history`. B is `batch_size`, less in the last batch of an epoch.

        The key "video" gives uint8 `[B, W, height, width, 3]`: RGB, upright, 0 where padded; the frames from which
        the arrays were extracted, or their blurred copies where the version says so. It is read besides
        the arrays if `keys` names it, and needs `pip install 'kinesphere[video]'`.

        With `rate`, every episode is resampled by the true times of its frames: frame k is at its first frame's time
        + k / rate, rounded to a nanosecond, which is its `timestamp`, as far as the last frame goes. Fixed-point
        and float numbers, such as positions and `grip`, and standard deviations are interpolated linearly, the
        rotations of `wrist_pose` along the arc (Shoemake, SIGGRAPH 1985). They are missing where one
        of the two frames around the time has none, or where these are further apart than 0.1 s and than 2.5 mean
        frame times of the recording. A frame within 20 us of the time is handed over as it is. Other uint8 and
        int64 numbers, such as `valid`, scores and visibilities, are the nearer frame's, 0 between frames too far apart;
        the picture is the nearer frame's. The times of all chosen episodes are then read once, when the stream is made.

        What it promises: every window exactly once an epoch (but see `balance` and `weight`), equal to the slice of
        `episode()`; the order depends on the version and these arguments only, not on the number of ranks or workers;
        it resumes from `state_dict()` at the next batch; memory stays under `memory_bound_bytes`; an object that cannot
        be read is an error.

        How random it is: blocks of up to 4,096 frames of an episode are put in random order and grouped into pools of
        `pool_frames` frames; windows are in random order within their pool. A batch mixes the blocks of one pool
        (32 long ones with the default, thousands of short episodes), not the whole dataset; a larger pool mixes more.
        Of 5 million frames in 4,400 episodes, a batch of 256 holds effectively 31 episodes with the default pool, 142
        with 16 times as much, 174 with `sampling="random"`, and 176 if drawn by NumPy; `docs/decisions/0012` has more.

        Batch b of an epoch is rank b % world_size's. Every rank reads the pools that its batches draw from, which is
        nearly all of them.

        Args:
            settings: the following options, of which two are needed; `window`, `batch_size` and `keys` need no name.
            window: length of a window. Here, as in `stride`, `history` and `future`, whole numbers are frames. With a
                rate, other numbers and `timedelta` are seconds, which have to be within 0.05 of a whole number of
                frames.
            batch_size: windows in a batch.
            keys: names of arrays, and "video"; by default all arrays that the first episode's shard has, but
                `wrist_velocity` and standard deviations (`*_sd`), which have to be named. All shards have to have them
                alike: one that has not is an error that names it, when it is read.
            stride: between the beginnings of successive windows of an episode; 1 frame by default.
            history: what comes along before each window; it changes neither which windows there are nor their order.
            future: what comes along after each window; likewise.
            rate: frames per second; from 0.001 to 1,000.
            shuffle: whether windows come in a random order, another one each epoch; else as they were recorded.
            seed: with the epoch's number it decides the order. Not used without `shuffle`.
            epoch: number of the first epoch; each further one has an order of its own.
            rank: which of the training processes this is, from 0.
            world_size: how many training processes share the batches of an epoch. Some get one batch more than others,
                unless one of the next two is given: training in lockstep, as with DistributedDataParallel, needs one.
            drop_last: leave out the batches at the end of an epoch of which there is no full one for every rank: all
                have equally many, and all batches are full. Other windows are left out each epoch.
            even_ranks: let the first batches of the epoch come once more where some ranks would have one less.
            sampling: "pool" mixes what is decoded at a time, as above. "random" draws every batch from the whole epoch,
                uniformly at random, and reads its windows one by one, `pool_frames` frames ahead in 32 threads: as
                random as can be, at ten times the work, and reads for every window: remote data needs `cache`. Needs
                `shuffle`.
            balance: a column of `episodes`. An epoch has as many windows as without, but every value of the column
                gets an equal share of them, to within one window; those of its windows are drawn equally often, to
                within once. A missing value counts as a value.
            weight: a column of `episodes`, an expression over its columns such as "1 / length" or
                "case when label = 'pour' then 3 else 1 end" (also + - * and sqrt()), or a NumPy array with a number for
                each of its rows; at least 0. An epoch has as many windows as without; an episode's share is in
                proportion to its weight times its windows.
            weight_by: an array that the shards have standard deviations of, such as "wrist_pose". Batches then have
                "weight", float32 `[B, W, ...]`: 1 where a value is sure, 0 where it is missing or padded, else
                floor² / (floor² + sd²). Over x, y and z the mean of sd² counts, so "wrist_pose" (its place) gives
                `[B, W, 2]` and "body_world" `[B, W, 33]`; in the picture x and y alone count. The floor, where a weight
                is a half, is that of `FLOORS` in `kinesphere.streaming.frame_weights` (3 cm for "wrist_pose"), or
                given as `{"wrist_pose": 0.02}`. It changes neither windows nor their order.
            text: names of text columns of `episodes` such as "label", and "title" and "instructions" of their tasks.
                Batches have them as arrays of text `[B]`, of tensors as lists; empty where there is none.
            where: a condition on the columns of `episodes`, e.g. `"label = 'pour'"`; see `kinesphere.where`.
            split: only episodes of this split, such as "train", where the version was published with splits.
            dtype: "int16" hands over the fixed-point numbers as stored, -32768 where missing, and
                visibilities and scores as uint8, to be scaled with `stream.scales`: half the bytes. Standard deviations
                come as uint8 codes, 0 where missing, which `stream.log_scales[key].decode` turns into float32.
            pool_frames: how many decoded frames are held in memory at once, besides history and future.
            video_size: height and width to scale the video to; needed where recordings have several sizes.
            transform: a function, or several to be applied in turn, that gets each batch when all else is done, in
                the process that iterates (a `DataLoader`'s workers), and returns the batch to hand over. It may change
                arrays in place, add keys and drop rows; its errors are not caught. Names in its attribute `keys` have
                to be among the streamed ones. States count batches and know nothing of transforms.

        Returns:
            An iterable of batches; iterating it once gives one epoch.

        Raises:
            InvalidInput: an argument is out of range, a key is no array of the first episode, the array that
                `weight_by` needs is not in its shard, or `where` matches nothing.
            CorruptObject: with a rate, the times of an episode cannot be read.
        """
        return WindowStream(self, settings)

    def statistics(
        self,
        compute: bool = True,
        *,
        where: str | None = None,
        split: str | None = None,
        rate: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Statistics:
        """Mean, deviation, extremes and exact quantiles of every number of all arrays but `timestamp` and int64 ones.

        They are read from beside the version if they are there. Else all frames are gone through, which with the
        standard arrays takes at most 128 MB and 110 bytes an episode, and what is found is written there; whoever may
        not write gets it with a warning. Frames that several episodes hold count once. A number that is missing in a
        frame is not counted; visibilities and scores are never missing, their 0 says "not found" and counts. An array
        that only some shards have is counted in these. Standard deviations have statistics in their units.

        Those of some episodes, or at a rate, are computed each time and not kept: normalise with those of what is
        trained on, so that nothing of the test people gets in. At a rate they are of what the stream hands over, and
        a frame that several episodes hold counts in each.

        Args:
            compute: go through all frames if need be.
            where: only episodes that fulfil this condition, as `stream` takes it.
            split: only episodes of this split.
            rate: frames per second to resample to, as `stream` does.
            on_progress: called with how many frames were read, over five passes, and how many will be.

        Returns:
            The statistics, by array.

        Raises:
            NotFound: there are none yet and `compute` is False.
            CorruptObject: they are damaged or of another table, or an object of a shard is missing or damaged.
            InvalidInput: two shards have different arrays of one name, or the condition, split or rate is none.
            NewerFormat: a later release wrote them.
        """
        from kinesphere.statistics.chosen_statistics import Choice, chosen_statistics
        from kinesphere.statistics.statistics import find_statistics

        choice = Choice(where, split, rate)
        if choice == Choice():
            return find_statistics(self, compute=compute, on_progress=on_progress)
        if not compute:
            raise NotFound(
                "statistics", f"{self.name}@{self.version}", hint="those of a choice are not kept; compute them"
            )
        return chosen_statistics(self, choice, on_progress)

    def action_statistics(
        self,
        horizon: int,
        *,
        where: str | None = None,
        split: str | None = None,
        rate: float | None = None,
        grip: bool = False,
        rotation: Form = "6d",
        on_progress: OnProgress | None = None,
    ) -> Statistics:
        """The same statistics of "action", as `RelativeActions` derives it, and of "wrist_velocity".

        Velocities are the shard's own where it has them, and else derived by `wrist_velocity`.

        Exact as well. All steps of the chunk count together, so "action" has the shape `(2, 9)` whatever the horizon:
        one scale for the whole chunk keeps its steps comparable. It takes at most 256 MB up to a horizon of 300.
        Steps are stored frames, or with a rate frames at that rate: give the one that is streamed. What is derived
        depends on where an episode ends, so a frame that several episodes hold counts in each.
        Nothing is kept: `Statistics.to_json` is for keeping them with the policy that was trained with them.

        Args:
            horizon: how many steps ahead a chunk goes; 1 for the next step alone.
            where: only episodes that fulfil this condition, as `stream` takes it.
            split: only episodes of this split.
            rate: frames per second to resample to, as `stream` does.
            grip: as of `RelativeActions`; "action" then has a number more.
            rotation: as of `RelativeActions`.
            on_progress: called with how many frames were read, over three passes, and how many will be.

        Returns:
            The statistics of "action" and "wrist_velocity".

        Raises:
            InvalidInput: the horizon is no positive number, or the condition, split, rate or form of rotations is none.
            CorruptObject: an object of a shard is missing or damaged.
        """
        from kinesphere.statistics.chosen_statistics import Choice, find_action_statistics

        actions = RelativeActions(horizon, grip=grip, rotation=rotation)
        return find_action_statistics(self, actions, Choice(where, split, rate), on_progress)

    @takes_settings(StreamSettings)
    def torch(self, settings: StreamSettings) -> TorchDataset:
        """The same stream as a `torch.utils.data.IterableDataset` of batches.

        >>> loader = DataLoader(dataset.torch(window=64, batch_size=256), batch_size=None, num_workers=4)

        Args:
            settings: the options of `stream`, given as its are.

        Returns:
            The batches as tensors.

        Raises:
            MissingDependency: PyTorch is not installed.
            InvalidInput: as `stream`.
            CorruptObject: as `stream`.
        """
        from kinesphere.training.torch_dataset import TorchDataset  # which imports PyTorch, if there is one

        return TorchDataset(WindowStream(self, settings))

    def _row(self, which: int | str) -> int:
        if isinstance(which, str):
            row = int(pc.index(self.episodes["episode"], which).as_py())
            if row < 0:
                raise NotFound("episode", which, self.episodes["episode"].slice(0, 11).to_pylist())
            return row
        row = operator.index(which)
        if not 0 <= row < len(self):
            raise NotFound("episode", str(row), hint=f"{self.name}@{self.version} has rows 0 to {len(self) - 1}")
        return row
