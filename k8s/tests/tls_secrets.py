"""The Secrets of components/tls, made by its own script, for tests that run servers."""

import base64
import functools
import re
import ssl
import subprocess
import tempfile
from pathlib import Path

import yaml

from conftest import K8S, Overlay

SCRIPT = K8S / "components/tls/make-secrets.sh"


def is_secured(overlay: Overlay) -> bool:
    """Tells whether the overlay has components/tls."""
    return "ingress-tls" in overlay.text


def make_secrets(directory: Path | None = None) -> dict[str, dict]:
    """Runs the script with the CA of this directory, or with a new CA; returns the Secrets by name."""
    with tempfile.TemporaryDirectory() as temporary:
        command = [str(SCRIPT), str(directory or temporary)]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {found["metadata"]["name"]: found for found in yaml.safe_load_all(text) if found}


@functools.cache
def secrets() -> dict[str, dict]:
    """Returns the Secrets that the tests share."""
    return make_secrets()


def content(secret: dict, key: str) -> bytes:
    """Returns a file of a Secret."""
    return base64.b64decode(secret["data"][key])


def names(secret: dict) -> set[str]:
    """Returns the names in the certificate of a Secret."""
    command = ["openssl", "x509", "-noout", "-ext", "subjectAltName"]
    text = subprocess.run(command, input=content(secret, "tls.crt"), check=True, capture_output=True).stdout.decode()
    return set(re.findall(r"DNS:([^,\s]+)", text))


def server_context(secret: dict) -> ssl.SSLContext:
    """Returns the TLS settings of a server with the certificate of this Secret."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        certificate, key = Path(directory, "tls.crt"), Path(directory, "tls.key")
        certificate.write_bytes(content(secret, "tls.crt"))
        key.write_bytes(content(secret, "tls.key"))
        context.load_cert_chain(certificate, key)
    return context


def client_context() -> ssl.SSLContext:
    """Returns the TLS settings of a client that trusts the CA of the Secrets, and no other."""
    return ssl.create_default_context(cadata=content(secrets()["ingress-tls"], "ca.crt").decode())
