"""Puts a video through what is done to footage before it is handed in a second time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.filter import Graph

from storage.footage.video_reader import open_video

TICKS = 90_000
"""Clips are timed in 1/90000 s."""


@dataclass(frozen=True)
class Transformation:
    """Filters as ffmpeg writes them, `name=arguments`, then what is cut out and how coarsely it is encoded."""

    filters: tuple[str, ...] = ()
    part: tuple[float, float] = (0.0, 1.0)
    """The share of the original that is kept: from where until where."""
    speed: float = 1.0
    crf: int = 23


def _cropped(share: float, *, at: str = "") -> str:
    """What keeps all but a share of both sides; in the middle, or where `at` says, as `:x:y`."""
    return f"crop=iw*{1 - share:g}:ih*{1 - share:g}{at}"


_CORNER, _OTHER_CORNER = ":0:0", ":iw-ow:ih-oh"
TRANSFORMATIONS: Mapping[str, Transformation] = {
    "as it is": Transformation(),
    "re-encoded (crf 35)": Transformation(crf=35),
    "scaled to 360p": Transformation(("scale=-2:360",)),
    "mirrored": Transformation(("hflip",)),
    "0.8 x speed": Transformation(speed=0.8),
    "1.25 x speed": Transformation(speed=1.25),
    "middle third": Transformation(part=(1 / 3, 2 / 3)),
    "20 % brighter": Transformation(("lutyuv=y=clip(val*1.2\\,16\\,235)",)),
    "letterboxed": Transformation(("pad=iw:ih*1.25:0:ih*0.125",)),
    "padded in white": Transformation(("pad=iw*1.2:ih*1.2:iw*0.1:ih*0.1:white",)),
    "cropped by 5 %": Transformation((_cropped(0.05),)),
    "cropped by 10 %": Transformation((_cropped(0.1),)),
    "cropped by 20 %": Transformation((_cropped(0.2),)),
    "cropped by 40 %": Transformation((_cropped(0.4),)),
    "cropped by 5 %, corner": Transformation((_cropped(0.05, at=_CORNER),)),
    "cropped by 10 %, corner": Transformation((_cropped(0.1, at=_CORNER),)),
    "cropped by 20 %, corner": Transformation((_cropped(0.2, at=_CORNER),)),
    "cropped by 20 %, other corner": Transformation((_cropped(0.2, at=_OTHER_CORNER),)),
    "cropped to 4:3": Transformation(("crop=ih*4/3:ih",)),
    "cropped by 10 %, mirrored": Transformation((_cropped(0.1), "hflip")),
    "cropped by 20 %, corner, mirrored": Transformation((_cropped(0.2, at=_CORNER), "hflip")),
    "cropped by 10 %, crf 35": Transformation((_cropped(0.1),), crf=35),
    "cropped by 10 %, 1.25 x speed": Transformation((_cropped(0.1),), speed=1.25),
    "cropped by 10 %, 0.8 x speed": Transformation((_cropped(0.1),), speed=0.8),
    "cropped by 10 %, middle half": Transformation((_cropped(0.1),), part=(0.25, 0.75)),
    "cropped by 10 %, mirrored, crf 35": Transformation((_cropped(0.1), "hflip"), crf=35),
}


def transform(source: Path, path: Path, how: Transformation, *, width: int | None = None) -> Path:
    """Write what becomes of a video; `width` scales it first, so that tests are quick."""
    with open_video(source) as video:
        duration = video.info.duration_ns
        start, end = (share * duration for share in how.part)
        wanted = (p for p in video.pictures(even=True) if start <= p.timestamp_ns < end)
        with av.open(str(path), "w") as container:
            graph: Graph | None = None
            stream: Any = None
            for shown in wanted:
                picture = shown.picture
                if graph is None:
                    graph = _graph(picture, how, width)
                picture.pts = round((shown.timestamp_ns - start) / how.speed * TICKS / 1e9)
                picture.time_base = Fraction(1, TICKS)
                graph.push(picture)
                made: Any = graph.pull()
                if stream is None:
                    stream = container.add_stream("libx264", options={"crf": str(how.crf), "preset": "veryfast"})
                    stream.width, stream.height = made.width // 2 * 2, made.height // 2 * 2
                    stream.pix_fmt = "yuv420p"
                    stream.codec_context.time_base = Fraction(1, TICKS)
                time = made.pts
                made = made.reformat(stream.width, stream.height, "yuv420p")
                made.pts, made.time_base, made.pict_type = time, Fraction(1, TICKS), 0
                container.mux(stream.encode(made))
            container.mux(stream.encode(None))
    return path


def _graph(picture: Any, how: Transformation, width: int | None) -> Graph:
    graph = Graph()
    buffer: Any = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, TICKS)
    )
    filters = (f"scale={width}:-2",) if width is not None else ()
    nodes = [buffer]
    for text in (*filters, *how.filters, "format=yuv420p"):
        name, _, arguments = text.partition("=")
        nodes.append(graph.add(name, arguments or None))
    nodes.append(graph.add("buffersink"))
    for before, after in pairwise(nodes):
        before.link_to(after)
    graph.configure()
    return graph
