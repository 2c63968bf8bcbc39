"""The command `bench stream`: how fast a dataset streams from where it lies."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kinesphere.errors import InvalidInput
from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened, parse_dataset
from studio.commands.output import print_json, print_table


class SamplingOption(StrEnum):
    """How windows are drawn."""

    pool = "pool"
    random = "random"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    bench = typer.Typer(no_args_is_help=True, help="Measure your own disks and network.")
    bench.command("stream")(bench_stream)
    app.add_typer(bench, name="bench")


def bench_stream(
    dataset: Annotated[str, typer.Argument(help="NAME, or NAME@N for one version.")],
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to read.")] = 10.0,
    window: Annotated[int, typer.Option(min=1, help="Frames in a window.")] = 64,
    batch_size: Annotated[int, typer.Option(min=1, help="Windows in a batch.")] = 256,
    keys: Annotated[str, typer.Option(help='Arrays, with commas; "video" is one too. All arrays by default.')] = "",
    video_size: Annotated[str, typer.Option(help="Scale video to HEIGHTxWIDTH, such as 224x224.")] = "",
    cache: Annotated[Path | None, typer.Option(help="Keep what is read in this folder.")] = None,
    sampling: Annotated[SamplingOption, typer.Option(help="From pools, or at random from all.")] = SamplingOption.pool,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Measure how fast windows of a dataset stream from where it lies."""
    from kinesphere.dataset import open_dataset
    from kinesphere.streaming.stream_settings import StreamSettings
    from kinesphere.streaming.stream_speed import DTYPES, measure_stream

    name, number = parse_dataset(dataset)
    size = parse_size(video_size)
    with opened(folder) as workspace:
        location = workspace.dataset_location(name)
    opened_dataset = open_dataset(location, number, cache=cache)
    measured = [
        measure_stream(
            opened_dataset,
            StreamSettings(
                window,
                batch_size,
                keys.replace(" ", "").split(",") if keys else None,
                shuffle=True,
                dtype=dtype,
                video_size=size,
                sampling=sampling.value,
            ),
            seconds / 2,
        )
        for dtype in DTYPES
    ]
    if as_json:
        print_json(measured)
        return
    rows = [
        (speed.dtype, f"{speed.windows_per_second:,.0f}", f"{speed.windows_per_cpu_second:,.0f}",
         f"{speed.megabytes_per_second:,.0f}", f"{speed.first_batch_seconds:.2f} s",
         f"{speed.memory_bound_bytes / 2**20:,.0f} MB", f"{speed.requests_per_1000_windows:,.1f}")
        for speed in measured
    ]  # fmt: skip
    columns = ["dtype", "windows/s", "windows/CPU-s", "MB/s", "first batch after", "memory at most",
               "requests/1,000 windows"]  # fmt: skip
    print_table(f"Streaming {name}@{opened_dataset.version}, windows of {window} frames", columns, rows)


def parse_size(text: str) -> tuple[int, int] | None:
    """Split `HEIGHTxWIDTH`; nothing where there is no text.

    Raises:
        InvalidInput: it is not of this form.
    """
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if text and match is None:
        raise InvalidInput(f"'{text}' is no size; write HEIGHTxWIDTH, such as 224x224")
    return (int(match[1]), int(match[2])) if match else None
