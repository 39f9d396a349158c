"""The Redis in the cluster: commands by TLS as a user."""

import socket
import ssl
from contextlib import suppress
from typing import BinaryIO

from cluster_test import kube, tls

PORT, TIMEOUT_S = 6379, 5


class RedisError(kube.ClusterError):
    """Redis refused a login."""


def run(
    login: tuple[str, str] | None,
    *commands: list[str],
    address: tuple[str, int] | None = None,
    context: ssl.SSLContext | None = None,
) -> list[str]:
    """Runs commands on one connection; returns the answers, of which errors begin with a minus sign.

    Args:
        login: user and password, or None for a client without a login.
        commands: the commands, each with its arguments.
        address: another address than that of the Service.
        context: other CAs to trust than that of the deployment.

    Raises:
        RedisError: Redis refused the login.
    """
    with (
        socket.create_connection(address or (kube.cluster_ip("redis"), PORT), TIMEOUT_S) as connection,
        (context or tls.context()).wrap_socket(connection, server_hostname=tls.dns_name("redis")) as encrypted,
        encrypted.makefile("rwb") as stream,
    ):

        def call(words: list[str]) -> str:
            stream.write(f"*{len(words)}\r\n".encode())
            stream.writelines(f"${len(word.encode())}\r\n{word}\r\n".encode() for word in words)
            stream.flush()
            return _answer(stream)

        if login and (answer := call(["AUTH", *login])).startswith("-"):
            raise RedisError(answer)
        return [call(command) for command in commands]


def _answer(stream: BinaryIO) -> str:
    """Returns an answer as text; that of a list is the text of its items."""
    line = stream.readline().decode().rstrip("\r\n")
    kind, value = line[:1], line[1:]
    if kind == "$" and value != "-1":
        return stream.read(int(value) + len("\r\n"))[: int(value)].decode()
    if kind == "*":
        return " ".join(_answer(stream) for _ in range(int(value)))
    return line if kind == "-" else value


def password(user: str) -> str:
    """Returns the password in the Secret of a user of the deployment."""
    return kube.secret(f"redis-{user}", "password")


def answers_without_tls(address: tuple[str, int] | None = None) -> bool:
    """Tells whether Redis answers a client without TLS, also if with an error."""
    with (
        socket.create_connection(address or (kube.cluster_ip("redis"), PORT), TIMEOUT_S) as connection,
        suppress(OSError),
    ):
        connection.sendall(b"PING\r\n")
        # An alert of TLS is no answer of Redis.
        return connection.recv(1_000)[:1] in (b"+", b"-")
    return False
