"""TLS clients. They trust only the CA of the deployed Secrets, and check the names of the servers."""

import functools
import http.client
import ssl
import tempfile
from pathlib import Path

from cluster_test import kube

# The Secret of the Ingress. All Secrets have the same CA.
SECRET = "ingress-tls"  # noqa: S105 - a name
# In the certificate of every program, for Prometheus, which connects to the admin ports by address.
ADMIN = "admin"
TIMEOUT_S = 10


class Connection(http.client.HTTPConnection):
    """An HTTP connection by TLS to an address, whose certificate must have a name."""

    def __init__(self, address: str, port: int, name: str, context: ssl.SSLContext) -> None:
        """Connects with the first request.

        Args:
            address: the IP address.
            port: the port.
            name: the name in the certificate.
            context: the CAs to trust.
        """
        super().__init__(address, port, timeout=TIMEOUT_S)
        self._name, self._context = name, context

    def connect(self) -> None:
        """Connects and verifies the certificate."""
        super().connect()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self._name)


def dns_name(service: str) -> str:
    """Returns the name of a Service, or of the admin ports, that is in the certificate."""
    return f"{service}.{kube.NAMESPACE}.svc"


def connect(service: str, port: int, address: str | None = None) -> Connection:
    """Connects to a Service, or to one of its pods."""
    return Connection(address or kube.cluster_ip(service), port, dns_name(service), context())


@functools.cache
def ca() -> str:
    """Returns the CA of the deployment (PEM)."""
    return kube.secret(SECRET, "ca.crt")


@functools.cache
def context() -> ssl.SSLContext:
    """Returns the settings of a client that trusts the CA of the deployment."""
    return ssl.create_default_context(cadata=ca())


def forget_ca() -> None:
    """Reads the CA again at its next use, because the deployment has another one."""
    ca.cache_clear()
    context.cache_clear()


@functools.cache
def _directory() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory()


def ca_file() -> Path:
    """Returns a file with the CA of the deployment. It is deleted at the end of the process."""
    file = Path(_directory().name, "ca.crt")
    file.write_text(ca())
    return file
