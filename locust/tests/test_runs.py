"""Complete locust runs against a fake Ingress: the votes sent, the ledger, the exit code."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
Entry = dict[str, object]


@dataclass
class Service:
    """A running fake Ingress."""

    http: int
    grpc: int
    certificate: Path | None = None

    def receipts(self) -> Counter:
        """Counts receipts by (vote_id, route)."""
        context = ssl.create_default_context(cafile=str(self.certificate)) if self.certificate else None
        url = f"{'https' if context else 'http'}://127.0.0.1:{self.http}/receipts"
        with urllib.request.urlopen(url, context=context) as answer:  # noqa: S310 - a server of this test
            return Counter(map(tuple, json.load(answer)))


@contextmanager
def running_service(delay_s: float, certificate: Path | None = None) -> Iterator[Service]:
    command = [sys.executable, ROOT / "tests" / "fake_service.py", str(delay_s)]
    command += [certificate, certificate.with_suffix(".key")] if certificate else []
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE) as process:  # noqa: S603
        try:
            yield Service(**json.loads(process.stdout.readline()), certificate=certificate)
        finally:
            process.kill()


@pytest.fixture(name="service")
def fixture_service() -> Iterator[Service]:
    with running_service(delay_s=0.01) as service:
        yield service


def make_certificate(directory: Path, names: str) -> Path:
    """Makes a certificate that is its own CA, with its key beside it."""
    certificate = directory / "server.crt"
    command = [
        "openssl",
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-days",
        "1",
    ]
    command += ["-subj", "/CN=of the test", "-addext", f"subjectAltName={names}", "-out", certificate]
    subprocess.run([*command, "-keyout", certificate.with_suffix(".key")], check=True, capture_output=True)  # noqa: S603
    return certificate


class Run:
    """One locust process with its ledger."""

    def __init__(
        self, service: Service, directory: Path, *arguments: str, headless: bool = True, grpc_target: bool = True
    ) -> None:
        self.ledger_path = directory / "ledger.jsonl"
        command = [sys.executable, "-m", "locust", "-f", ROOT / "locustfile.py", "--users", "8"]
        command += ["--headless"] if headless else []
        command += ["--spawn-rate", "100", "--host", f"http://127.0.0.1:{service.http}"]
        command += ["--grpc-target", f"127.0.0.1:{service.grpc}"] if grpc_target else []
        command += ["--ledger", self.ledger_path, *arguments]
        self.process = subprocess.Popen(  # noqa: S603
            command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def finish(self) -> int:
        """Waits for the end; returns the exit code and sets `output`."""
        self.output, _ = self.process.communicate(timeout=60)
        return self.process.returncode

    def ledger(self) -> list[Entry]:
        """Returns the ledger entries, in the order of the answers."""
        return [json.loads(line) for line in self.ledger_path.read_text().splitlines()]

    def acknowledged(self) -> Counter:
        """Counts acknowledged votes by (vote_id, route)."""
        return Counter((entry["vote_id"], entry["route"]) for entry in self.ledger() if entry["ok"])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def start_in_web_ui(port: int, host: str) -> None:
    form = urllib.parse.urlencode({"user_count": 2, "spawn_rate": 100, "host": host}).encode()
    for attempt in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/swarm", form).close()
        except urllib.error.URLError:
            if attempt == 99:
                raise
            time.sleep(0.1)
        else:
            return


def test_default_run_mixes_paths_and_records_every_receipt(service: Service, tmp_path: Path) -> None:
    run = Run(service, tmp_path, "--run-time", "3s")
    assert run.finish() == 0, run.output
    ledger = run.ledger()
    assert {entry["route"] for entry in ledger} == {"rest", "bridge", "grpc"}
    assert {entry["path"] for entry in ledger} == {"split", "grpc"}
    assert {entry["status"] for entry in ledger} == {"202", "OK"}
    assert all(entry["ok"] and 10_000 <= entry["latency_us"] < 10_000_000 for entry in ledger)
    assert all(abs(entry["sent_at_us"] / 1e6 - time.time()) < 60 for entry in ledger)
    assert run.acknowledged() == service.receipts()
    for request, route in (("POST", "rest"), ("POST", "bridge"), ("gRPC", "grpc")):
        assert re.search(rf"^{request} +{route} ", run.output, re.MULTILINE)


def test_one_seed_gives_the_same_paths_for_any_number_of_users(service: Service, tmp_path: Path) -> None:
    paths = []
    for users in ("1", "6"):
        run = Run(service, tmp_path, "--run-time", "2s", "--seed", "7", "--users", users)
        assert run.finish() == 0, run.output
        entries = sorted(run.ledger(), key=lambda entry: entry["sent_at_us"])
        paths.append([entry["path"] for entry in entries])
    shared = min(map(len, paths))
    assert shared > 20
    assert paths[0][:shared] == paths[1][:shared]


@pytest.mark.parametrize(
    ("user", "path", "routes"),
    [("SplitUser", "split", {"rest", "bridge"}), ("RestUser", "rest", {"rest"}), ("GrpcUser", "grpc", {"grpc"})],
)
def test_only_the_selected_class_runs(service: Service, tmp_path: Path, user: str, path: str, routes: set[str]) -> None:
    run = Run(service, tmp_path, "--run-time", "1s", user)
    assert run.finish() == 0, run.output
    assert {entry["path"] for entry in run.ledger()} == {path}
    assert {entry["route"] for entry in run.ledger()} == routes
    assert run.acknowledged() == service.receipts()


def test_worker_processes_share_one_ledger(service: Service, tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_text("from an earlier run\n")
    run = Run(service, tmp_path, "--run-time", "3s", "--processes", "2")
    assert run.finish() == 0, run.output
    assert len(run.ledger()) > 8
    assert run.acknowledged() == service.receipts()


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_records_every_vote(service: Service, tmp_path: Path, stop_signal: signal.Signals) -> None:
    run = Run(service, tmp_path)
    time.sleep(3)
    run.process.send_signal(stop_signal)
    assert run.finish() == 0, run.output
    assert len(run.ledger()) > 8
    assert run.acknowledged() == service.receipts()


@pytest.mark.parametrize("user", ["SplitUser", "GrpcUser"])
def test_vote_interrupted_at_the_end_is_recorded_as_failure(tmp_path: Path, user: str) -> None:
    with running_service(delay_s=5) as service:
        run = Run(service, tmp_path, "--run-time", "2s", "--stop-timeout", "0", user)
        assert run.finish() == 1, run.output
    entries = run.ledger()
    assert len(entries) == 8
    assert {(entry["vote_id"], entry["route"], entry["ok"], entry["status"]) for entry in entries} == {
        (None, None, False, "interrupted")
    }
    assert all(500_000 < entry["latency_us"] < 5_000_000 for entry in entries)


@pytest.mark.parametrize(
    ("user", "status", "routes"),
    [("SplitUser", "503", {"rest", "bridge"}), ("GrpcUser", "UNAVAILABLE", {None})],
)
def test_rejected_vote_is_a_failure(
    service: Service, tmp_path: Path, user: str, status: str, routes: set[str | None]
) -> None:
    votes = tmp_path / "votes.csv"
    votes.write_text("name,album,year,rank\n" + "Shery,a,2008,1\n" * 2 + "rejected,a,2008,1\n")
    run = Run(service, tmp_path, "--run-time", "1s", "--votes-file", str(votes), user)
    assert run.finish() == 1
    rejected = [entry for entry in run.ledger() if not entry["ok"]]
    assert {entry["status"] for entry in rejected} == {status}
    assert {entry["route"] for entry in rejected} == routes
    assert run.acknowledged() == service.receipts()
    # The answer is in the ledger, so that a failure can be explained later.
    assert all("Kafka unavailable" in entry["failure"]["message"] for entry in rejected)
    if user == "SplitUser":
        assert all(entry["failure"]["headers"]["x-ingest-route"] == entry["route"] for entry in rejected)
    assert all("failure" not in entry for entry in run.ledger() if entry["ok"])


def test_unreachable_server_is_a_failure_on_both_paths(tmp_path: Path) -> None:
    # No server listens on port 1.
    unreachable = Service(http=1, grpc=1)
    run = Run(unreachable, tmp_path, "--run-time", "1s", "--wait-ms", "100")
    assert run.finish() == 1
    assert {(entry["path"], entry["status"], entry["route"]) for entry in run.ledger()} == {
        ("split", "ConnectionRefusedError", None),
        ("grpc", "UNAVAILABLE", None),
    }


def test_run_without_votes_is_a_failure(service: Service, tmp_path: Path) -> None:
    run = Run(service, tmp_path, "--run-time", "1s", "--users", "0")
    assert run.finish() == 1
    assert run.ledger() == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[{"name": "a", "album": "b", "year": 1996, "rank": NaN}]', ":1: rank: NaN"),
        (
            b'[{"name": "\\ud800", "album": "b", "year": 1996, "rank": 1}]',
            ":1: name: '\\ud800' contains a lone surrogate",
        ),
        (b"name,album,year,rank\nExtinci\xf3n,b,1996,1\n", ":2: not UTF-8"),
    ],
)
def test_invalid_vote_file_ends_the_run_before_the_first_vote(
    service: Service, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "nan.json"
    path.write_bytes(content)
    run = Run(service, tmp_path, "--run-time", "1s", "--votes-file", str(path))
    assert run.finish() == 2
    assert f"{path}{message}" in run.output
    assert "Traceback" not in run.output
    assert not service.receipts()


@pytest.mark.parametrize(
    ("host", "user", "routes"),
    [
        ("HTTP://LocalHost:{port}/", "SplitUser", {"rest", "bridge"}),
        ("http://127.0.0.1:{port}/rest/", "SplitUser", {"rest"}),
        ("http://127.0.0.1:{port}/", "RestUser", {"rest"}),
        ("http://127.0.0.1:{port}/rest", "RestUser", {"rest"}),
        ("http://127.0.0.1:{port}/rest/", "MixedUser", {"rest", "grpc"}),
        ("http://ana:s3creto@127.0.0.1:{port}/", "MixedUser", {"rest", "bridge", "grpc"}),
        ("https://localhost:1/", "GrpcUser", {"grpc"}),
    ],
)
def test_each_class_can_use_the_host(service: Service, tmp_path: Path, host: str, user: str, routes: set[str]) -> None:
    run = Run(service, tmp_path, "--run-time", "1s", "--host", host.format(port=service.http), user)
    assert run.finish() == 0, run.output
    assert {entry["route"] for entry in run.ledger()} == routes
    assert run.acknowledged() == service.receipts()


def test_grpc_target_follows_from_the_host(service: Service, tmp_path: Path) -> None:
    host = f"http://127.0.0.1:{service.grpc}/rest/"
    run = Run(service, tmp_path, "--run-time", "1s", "--host", host, "GrpcUser", grpc_target=False)
    assert run.finish() == 0, run.output
    assert run.acknowledged() == service.receipts()


def test_all_paths_use_tls_and_trust_the_given_ca(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "IP:127.0.0.1,DNS:localhost")
    with running_service(0.01, certificate) as service:
        host = f"https://localhost:{service.http}"
        run = Run(service, tmp_path, "--run-time", "2s", "--host", host, "--ca", str(certificate), "MixedUser")
        assert run.finish() == 0, run.output
        assert {entry["route"] for entry in run.ledger()} == {"rest", "bridge", "grpc"}
        assert run.acknowledged() == service.receipts()


@pytest.mark.parametrize(("user", "status"), [("SplitUser", "SSLCertVerificationError"), ("GrpcUser", "UNAVAILABLE")])
@pytest.mark.parametrize("wrong", ["another CA", "another name"])
def test_no_vote_is_sent_to_a_server_that_cannot_be_verified(
    tmp_path: Path, user: str, status: str, wrong: str
) -> None:
    (tmp_path / "trusted").mkdir()
    certificate = make_certificate(tmp_path, "DNS:other.example,IP:127.0.0.1")
    trusted = certificate if wrong == "another name" else make_certificate(tmp_path / "trusted", "DNS:localhost")
    with running_service(0.01, certificate) as service:
        port = service.grpc if user == "GrpcUser" else service.http
        arguments = ("--run-time", "1s", "--host", f"https://localhost:{port}", "--ca", str(trusted), user)
        run = Run(service, tmp_path, *arguments, grpc_target=False)
        assert run.finish() == 1, run.output
        assert {entry["status"] for entry in run.ledger()} == {status}
        assert not service.receipts()


def test_unreadable_ca_ends_the_run_before_the_first_vote(service: Service, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for file in ("missing.pem", "empty.pem"):
        run = Run(service, tmp_path, "--host", "https://localhost:1", "--ca", str(tmp_path / file))
        assert run.finish() == 2, run.output
        assert f"not a file with certificates (PEM): '{tmp_path / file}'" in run.output
        assert "Traceback" not in run.output


def test_invalid_host_from_the_web_ui_starts_no_test(service: Service, tmp_path: Path) -> None:
    port = free_port()
    run = Run(service, tmp_path, "--web-host", "127.0.0.1", "--web-port", str(port), headless=False)
    for host in (f"127.0.0.1:{service.http}", f"http://127.0.0.1:{service.http}/"):
        start_in_web_ui(port, host)
        time.sleep(1)
        assert bool(service.receipts()) == host.startswith("http:")
    run.process.terminate()
    run.finish()
    assert f"type --host http://127.0.0.1:{service.http}" in run.output
    assert "Traceback" not in run.output
    assert run.acknowledged() == service.receipts()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--votes-file", "none.json"), "none.json: No such file"),
        (("--mix", "bridge=1"), "'bridge' is not a path"),
        (("--grpc-target", "localhost"), "not HOST:PORT"),
        (("--ledger", "/proc/ledger"), "/proc/ledger"),
        (("--grpc-target", "http://localhost:50051"), "type localhost:50051"),
        (("--host", "127.0.0.1:8000"), "type --host http://127.0.0.1:8000"),
        (("--host", "127.0.0.1:8000", "SplitUser"), "type --host http://127.0.0.1:8000"),
        (("--host", "127.0.0.1:8000", "RestUser"), "type --host http://127.0.0.1:8000"),
        (("--host", "127.0.0.1:8000", "GrpcUser"), "type --host http://127.0.0.1:8000"),
        (("--host", "http://localhost:8000/grpc", "RestUser"), "type --host http://localhost:8000"),
        (("--host", "http://localhost:8000/v1/votes", "--processes", "8"), "type --host http://localhost:8000"),
    ],
)
def test_invalid_option_ends_the_run_before_the_first_vote(
    service: Service, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    run = Run(service, tmp_path, "--run-time", "1s", *arguments)
    assert run.finish() == 2
    assert message in run.output
    assert "Traceback" not in run.output
    assert not service.receipts()
