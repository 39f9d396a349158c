"""Redis and MongoDB of base/stores on this machine: their own scripts and settings, with other paths and ports."""

import importlib.machinery
import importlib.util
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from conftest import CACHE, K8S
from tls_secrets import client_context, content, secrets

STORES = K8S / "base/stores"
SHELL = K8S / "lab/mongodb/mongosh"
REDIS, MONGODB = CACHE / "redis-7.0/usr", CACHE / "mongodb-6.0.5"
PORTS = {"redis": 6379, "mongodb": 27017}
START_TIMEOUT_S = 30


class Store:
    """A running Redis or MongoDB."""

    def __init__(self, name: str, directory: Path, passwords: dict[str, str]) -> None:
        """Writes the files that the pod would have.

        Args:
            name: `redis` or `mongodb`.
            directory: has all files of the server.
            passwords: by user.
        """
        self.name, self.directory = name, directory
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.address: tuple[str, int] = server.getsockname()
        self._replaced = {
            f"/etc/{name}-": f"{directory}/",
            "/data": f"{directory}/data",
            "/tmp": f"{directory}/tmp",  # noqa: S108
            str(PORTS[name]): str(self.address[1]),
            "bindIpAll: true": "bindIp: 127.0.0.1",
            "bind *": "bind 127.0.0.1",
            f"mongodb-0.mongodb.dualpath.svc.cluster.local:{PORTS[name]}": f"localhost:{self.address[1]}",
        }
        for part in ("data/db", "tmp", "bin", "config", "users", "tls"):
            (directory / part).mkdir(parents=True)
        for file in (STORES / name).iterdir():
            if file.suffix != ".yaml":
                self._write(f"config/{file.name}", file.read_text())
        self._write("bin/mongosh", SHELL.read_text())
        (directory / "bin/mongosh").chmod(0o700)
        for key in ("tls.crt", "tls.key", "ca.crt"):
            (directory / "tls" / key).write_bytes(content(secrets()[f"{name}-tls"], key))
        self.set_passwords(passwords)

    def _write(self, file: str, text: str) -> None:
        # The longest first, because the name of the member has the port.
        pattern = "|".join(re.escape(old) for old in sorted(self._replaced, key=len, reverse=True))
        text = re.sub(pattern, lambda match: self._replaced[match.group()], text)
        (self.directory / file).write_text(text)

    def set_passwords(self, passwords: dict[str, str]) -> None:
        """Writes the passwords of the users, as the volume of their Secrets."""
        for user, password in passwords.items():
            (self.directory / "users" / user).write_text(password)

    def script(self, name: str) -> subprocess.Popen:
        """Starts a script of the pod."""
        programs = f"{self.directory}/bin:{REDIS}/bin:{MONGODB}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": programs, "LD_LIBRARY_PATH": f"{REDIS}/lib/x86_64-linux-gnu"}
        with (self.directory / f"{name}.log").open("wb") as log:
            command = ["/bin/sh", str(self.directory / "config" / name)]
            return subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def is_listening(self) -> bool:
        """Tells whether the server accepts connections."""
        with suppress(OSError), socket.create_connection(self.address, 1):
            return True
        return False

    def log(self, script: str) -> str:
        """Returns the output of a script."""
        return (self.directory / f"{script}.log").read_text()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Runs the server, and the script that runs after its start, if it has one."""
        process = self.script("start.sh")
        try:
            wait_until(self.is_listening, lambda: self.log("start.sh"))
            if self.name == "mongodb":
                assert self.script("users.sh").wait(START_TIMEOUT_S) == 0, self.log("users.sh")
            yield
        finally:
            process.terminate()
            process.wait(START_TIMEOUT_S)


def wait_until(condition: Callable[[], bool], describe: Callable[[], str]) -> None:
    """Waits until the condition holds."""
    end = time.monotonic() + START_TIMEOUT_S
    while not condition():
        assert time.monotonic() < end, describe()
        time.sleep(0.1)


def load_shell() -> ModuleType:
    """Returns the lab's replacement of MongoDB's shell as a module."""
    loader = importlib.machinery.SourceFileLoader("mongosh", str(SHELL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("mongosh", loader))
    loader.exec_module(module)
    return module


def context() -> ssl.SSLContext:
    """Returns a client's settings for an address that is not in the certificate."""
    settings = client_context()
    settings.check_hostname = False
    return settings
