"""How many distinct ways of moving a dataset holds: clusters of what the wrists do, on a fixed scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.dataset import Dataset
from kinesphere.errors import InvalidInput
from kinesphere.trajectory import BODY_LANDMARKS
from storage.publishing.hill_numbers import effective_number

Floats = NDArray[np.float64]

PIECE_SECONDS = 2.0
"""Episodes are cut into equal pieces of at most this length: a recording of a minute is not one way of moving."""
POINTS = 16
"""Moments of a piece at which its path is taken."""
BANDS_HZ = (0.5, 1.0, 2.0, 4.0)
"""Upper edges of the bands of the spectrum of a wrist's speed."""
RADIUS = 0.5
"""Pieces that differ by less, as a root mean square in shoulder widths, may be of one way of moving."""
MOST_CLUSTERS = 2000
MOST_EPISODES = 1000
MOST_PIECES = 5000
SAMPLE = 100
"""Pieces by which datasets of different sizes are compared; see `expected_in_sample`."""
ROUNDS = 10
"""Of k-means."""
_SEED = 20261124
_LEAST_FOUND = 0.5
_SPECTRUM_WEIGHT = 0.5
_LANDMARKS = [BODY_LANDMARKS.index(f"{side}_{part}") for part in ("shoulder", "wrist") for side in ("left", "right")]


@dataclass(frozen=True)
class MotionCoverage:
    """How much of motion space a dataset covers, as far as was looked."""

    episodes: int
    """Episodes that were looked at: all, or a sample drawn with a fixed seed."""
    pieces: int
    """Pieces of at most 2 s in them in which both wrists were found for at least half the time."""
    skipped: int
    """Pieces in which they were not."""
    clusters: int
    """Distinct ways of moving: clusters that hold at least one piece."""
    is_limited: bool
    """Whether there are more ways than clusters that are told apart."""
    effective_shannon: float
    """The effective number of clusters by pieces; see `storage.publishing.hill_numbers`."""
    effective_simpson: float
    in_100_pieces: float | None
    """Distinct ways to be expected in 100 of the pieces, by which datasets of any size can be compared: more pieces
    always hold more ways. None where there are fewer."""
    sizes: tuple[int, ...]
    """Pieces in each cluster, most first."""


def measure_coverage(dataset: Dataset, *, most_episodes: int = MOST_EPISODES) -> MotionCoverage:
    """Cluster what the wrists do in the episodes of a dataset, or in a sample of them. The same data, the same result.

    Args:
        dataset: a version that is open.
        most_episodes: the size of the sample.

    Returns:
        The clusters, and how evenly the episodes fill them.

    Raises:
        InvalidInput: `most_episodes` is not positive.
        CorruptObject: a shard is missing or damaged.
    """
    if most_episodes < 1:
        raise InvalidInput(f"at least one episode is looked at; got {most_episodes}")
    rows = np.arange(len(dataset))
    if len(rows) > most_episodes:
        rows = np.sort(np.random.default_rng(_SEED).choice(rows, most_episodes, replace=False))
    features: list[Floats] = []
    skipped = 0
    for row in rows:
        arrays = dataset.episode(int(row), ["timestamp", "body_world"])
        for piece in pieces(arrays["timestamp"], arrays["body_world"]):
            found = piece_features(*piece)
            if found is None:
                skipped += 1
            else:
                features.append(found)
    return _coverage(features, episodes=len(rows), skipped=skipped)


def pieces(timestamp: NDArray[np.int64], body_world: NDArray[Any]) -> Iterable[tuple[NDArray[np.int64], NDArray[Any]]]:
    """An episode in equal pieces of at most `PIECE_SECONDS`: times int64 `[T]` in ns, body `[T, 33, 3]` in metres."""
    seconds = (timestamp[-1] - timestamp[0]) / 1e9
    number = max(1, int(np.ceil(seconds / PIECE_SECONDS - 1e-9)))
    edges = np.searchsorted(timestamp, timestamp[0] + np.arange(1, number) * (timestamp[-1] - timestamp[0]) // number)
    return zip(np.split(timestamp, edges), np.split(body_world, edges), strict=True)


def piece_features(timestamp: NDArray[np.int64], body_world: NDArray[Any]) -> Floats | None:
    """What tells one way of moving from another, float64 `[POINTS * 6 + 2 * (len(BANDS_HZ) + 1)]`.

    The paths of both wrists from the middle between the shoulders, in shoulder widths, turned about the vertical so
    that the shoulders lie along x, at `POINTS` equal times; and for each wrist the root mean square of its speed in
    bands of frequency, as shoulder widths a second, logarithmic. They are scaled so that the Euclidean distance of two
    pieces is the root mean square distance of the wrists, plus the spectra's part.

    Args:
        timestamp: int64 `[T]`, nanoseconds.
        body_world: float32 `[T, 33, 3]`, metres, x right, y down, z forward, NaN where missing.

    Returns:
        None if shoulders and wrists were found in less than half of the frames, or in fewer than 4.
    """
    body = body_world[:, _LANDMARKS].astype(np.float64)
    there = np.isfinite(body).all(axis=(1, 2))
    if there.sum() < 4 or there.mean() < _LEAST_FOUND:
        return None
    body, times = body[there], timestamp[there] / 1e9
    across = np.median(body[:, 0] - body[:, 1], axis=0)
    width = float(np.median(np.linalg.norm(body[:, 0] - body[:, 1], axis=1)))
    if width <= 1e-6 or times[-1] <= times[0]:
        return None
    wrists = (body[:, 2:] - body[:, :2].mean(axis=1, keepdims=True)) / width
    heading = np.arctan2(across[2], across[0])
    cosine, sine = np.cos(heading), np.sin(heading)
    x, z = wrists[..., 0].copy(), wrists[..., 2].copy()
    wrists[..., 0], wrists[..., 2] = cosine * x + sine * z, cosine * z - sine * x
    moments = np.linspace(times[0], times[-1], POINTS)
    flat = wrists.reshape(len(wrists), 6)
    path = np.stack([np.interp(moments, times, column) for column in flat.T], axis=1)
    spectrum = _speed_bands(times, flat)
    # the mean over moments and the two wrists of squared distances, not their sum
    return np.concatenate([path.ravel() / np.sqrt(2 * POINTS), _SPECTRUM_WEIGHT * spectrum / np.sqrt(spectrum.size)])


def _speed_bands(times: Floats, wrists: Floats) -> Floats:
    """Root mean square speed of each wrist in each band, `log1p`, float64 `[2 * (len(BANDS_HZ) + 1)]`."""
    rate = 30.0
    even = np.arange(times[0], times[-1], 1 / rate)
    if len(even) < 4:
        return np.zeros(2 * (len(BANDS_HZ) + 1))
    resampled = np.stack([np.interp(even, times, column) for column in wrists.T], axis=1)
    velocity = np.diff(resampled, axis=0) * rate
    power = np.abs(np.fft.rfft(velocity, axis=0)) ** 2 / len(velocity) ** 2
    power[1:] *= 2  # the negative frequencies
    frequency = np.fft.rfftfreq(len(velocity), 1 / rate)
    band = np.searchsorted(BANDS_HZ, frequency)
    in_bands = np.stack([power[band == number].sum(axis=0) for number in range(len(BANDS_HZ) + 1)])
    speeds: Floats = np.sqrt(in_bands.reshape(len(in_bands), 2, 3).sum(axis=2))
    return np.log1p(speeds).ravel()


def cluster(features: Floats, *, radius: float = RADIUS, most: int = MOST_CLUSTERS) -> tuple[NDArray[np.int64], bool]:
    """Group pieces into as few clusters as a radius allows.

    Centres are chosen by going to the farthest piece each time, until all lie within the radius (T. F. Gonzalez,
    "Clustering to minimize the maximum intercluster distance", 1985), then moved by Lloyd's k-means. It begins at the
    piece nearest the mean, and draws nothing at random. As the scale is fixed, and not the number of clusters, two
    datasets can be compared.

    Returns:
        The cluster of each piece, int64 `[n]`, and whether `most` centres did not suffice.
    """
    lengths = np.square(features).sum(axis=1)

    def squared_from(place: int) -> Floats:
        found: Floats = lengths + lengths[place] - 2 * features @ features[place]
        return found

    first = int(np.square(features - features.mean(axis=0)).sum(axis=1).argmin())
    centres = [first]
    distance = squared_from(first)
    while distance.max() > radius**2 and len(centres) < most:
        centres.append(int(distance.argmax()))
        distance = np.minimum(distance, squared_from(centres[-1]))
    is_limited = bool(distance.max() > radius**2)
    middles = features[centres]
    labels = _nearest(features, middles)
    for _ in range(ROUNDS):
        counts = np.bincount(labels, minlength=len(middles))
        sums = np.zeros_like(middles)
        np.add.at(sums, labels, features)
        middles = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], middles)
        moved = _nearest(features, middles)
        if (moved == labels).all():
            break
        labels = moved
    return labels, is_limited


def _nearest(features: Floats, middles: Floats) -> NDArray[np.int64]:
    # |a - b|² without the differences, which would take n x k x d numbers
    nearest: NDArray[np.int64] = (np.square(middles).sum(axis=1) - 2 * features @ middles.T).argmin(axis=1)
    return nearest


def expected_in_sample(sizes: NDArray[np.int64], sample: int) -> float | None:
    """How many clusters a random sample of so many pieces holds on average; None where there are fewer pieces.

    Rarefaction, by S. H. Hurlbert, "The nonconcept of species diversity", Ecology 52 (1971).
    """
    total = int(sizes.sum())
    if total < sample:
        return None
    steps = np.arange(sample)
    # of drawing none of a cluster: the product of (total - size - i) / (total - i)
    none_of = np.maximum(total - sizes[:, None] - steps, 0) / (total - steps)
    return float((1 - none_of.prod(axis=1)).sum())


def _coverage(features: list[Floats], *, episodes: int, skipped: int) -> MotionCoverage:
    total = len(features)
    if not total:
        return MotionCoverage(episodes, 0, skipped, 0, False, 0.0, 0.0, None, ())
    chosen = np.arange(total)
    if total > MOST_PIECES:
        chosen = np.sort(np.random.default_rng(_SEED).choice(total, MOST_PIECES, replace=False))
    labels, is_limited = cluster(np.stack([features[place] for place in chosen]))
    sizes = np.sort(np.bincount(labels))[::-1]
    sizes = sizes[sizes > 0]
    return MotionCoverage(
        episodes=episodes,
        pieces=len(chosen),
        skipped=skipped,
        clusters=len(sizes),
        is_limited=is_limited,
        effective_shannon=effective_number(sizes, 1),
        effective_simpson=effective_number(sizes, 2),
        in_100_pieces=expected_in_sample(sizes, SAMPLE),
        sizes=tuple(int(size) for size in sizes),
    )
