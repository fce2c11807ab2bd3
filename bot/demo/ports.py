"""Ports for servers that are started a moment after their port was chosen."""

import secrets
import socket

# Below the range from which systems take ports for outgoing connections (Linux: from 32768, others: from 49152):
# there, a connection of anybody's could take the port before its server does.
_FIRST, _COUNT = 20_000, 10_000


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now, chosen so that two that ask at once seldom get the same."""
    while True:
        port = _FIRST + secrets.randbelow(_COUNT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
