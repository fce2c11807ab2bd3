"""The socket on which the bot listens."""

import socket

import pytest

from bot.serving import PortTaken, listen


def test_the_connections_send_a_short_answer_at_once() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    with listen("127.0.0.1", 0) as listening, pytest.raises(PortTaken, match="set another, or --host and --port"):
        listen("127.0.0.1", listening.getsockname()[1])
