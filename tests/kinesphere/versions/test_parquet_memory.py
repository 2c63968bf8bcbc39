"""Parquet files in memory."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest

from kinesphere.versions.parquet_memory import open_parquet
from storage.exports.parquet_files import parquet_bytes


def test_a_file_is_read_whole_or_by_columns() -> None:
    table = pa.table({"episode": np.arange(10_000), "grip": np.linspace(0, 1, 10_000)})
    file = open_parquet(parquet_bytes(table, "zstd"))
    assert file.read() == table
    assert file.read(["grip"]) == table.select(["grip"])


def test_nothing_of_python_is_left_in_threads_of_arrow() -> None:
    content = parquet_bytes(pa.table({"episode": np.arange(10_000)}), "zstd")
    before = sys.getrefcount(content)
    file = open_parquet(content)
    read = file.read()
    assert sys.getrefcount(content) == before, "a thread that lets go of it while Python ends aborts the process"
    assert read.num_rows == 10_000


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100)])
def test_what_is_no_parquet_is_refused(content: bytes) -> None:
    with pytest.raises(pa.ArrowInvalid):
        open_parquet(content)
