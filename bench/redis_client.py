"""A client of Redis for a few commands: the benchmark needs no package from outside the standard library."""

import socket
from typing import BinaryIO

from common import BenchError

Reply = str | int | list["Reply"] | None


class Redis:
    """A connection."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("redis://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        self._replies = self._socket.makefile("rb")

    def command(self, *words: str) -> Reply:
        """Sends a command and returns the reply.

        Raises:
            BenchError: the reply is an error.
        """
        arguments = (word.encode() for word in words)
        encoded = b"".join(b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments)
        self._socket.sendall(b"*%d\r\n%b" % (len(words), encoded))
        return read_reply(self._replies)

    def total(self) -> int:
        """Returns the number of counted votes."""
        return int(self.command("GET", "{votes}:total") or 0)

    def applied_offsets(self) -> dict[int, int]:
        """Returns the next offset to count, by partition."""
        flat = self.command("HGETALL", "{votes}:offsets")
        return {int(partition): int(offset) for partition, offset in zip(flat[::2], flat[1::2], strict=True)}


def read_reply(stream: BinaryIO) -> Reply:
    """Reads one reply (RESP2).

    Raises:
        BenchError: the reply is an error, or the connection was closed.
    """
    line = stream.readline()
    kind, rest = line[:1], line[1:].strip().decode()
    match kind:
        case b"+":
            return rest
        case b":":
            return int(rest)
        case b"$":
            return None if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode()
        case b"*":
            return [read_reply(stream) for _ in range(int(rest))]
        case _:
            raise BenchError(f"Redis: {rest or 'the connection was closed'}")
