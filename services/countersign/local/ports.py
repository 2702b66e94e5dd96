"""Pick ports for the embedded servers that stay ours while a server is down for a restart."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"

# Below every system's range for outgoing connections: a port from that range could become some
# client's own port between a server's death and its restart.
FIRST, LAST = 15_000, 32_000


def is_free(port: int) -> bool:
    """Return whether a server could listen on the port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do, or connections that are still closing would look like a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen()
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on."""
    # Chosen at random, so that stacks that start at the same moment choose different ones.
    while not is_free(port := random.randint(FIRST, LAST)):  # noqa: S311  # no secret
        pass
    return port
