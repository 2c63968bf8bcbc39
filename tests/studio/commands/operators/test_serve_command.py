"""Serving: whoever reads the printed address may come at once."""

from __future__ import annotations

import socket

import pytest

from kinesphere.errors import InvalidInput
from studio.commands.operators.serve_command import listen


def test_a_connection_is_taken_before_the_server_has_started() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname(), timeout=5):
        pass


def test_a_port_in_use_is_told() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(InvalidInput, match="choose another with --port"):
        listen("127.0.0.1", taken.getsockname()[1])
