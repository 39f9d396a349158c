"""TLS between all pods, and the logins to Kafka. `stores_login` has those to Redis and MongoDB."""

import http
import json
import re
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress

from cluster_test import kube, secrets, tls
from cluster_test.ledger import Ledger, consumer_pod
from cluster_test.load import Load
from cluster_test.report import Row
from cluster_test.stages import stores_login
from cluster_test.stages.common import none_failed, reconciled, under_load
from cluster_test.stages.routes import VOTE, entry, post

RELOADS = {"ingress": 8000, "ingest-rest": 8080, "ingest-grpc": 50051, "bridge": 8081, "viewer": 8090}
# The stores read their certificates only at their start.
ACCEPT_VOTES = RELOADS | {"kafka": 9093}
LISTENERS = ACCEPT_VOTES | {"redis": 6379, "mongodb": 27017}
ADMIN_PORTS = {"ingest-rest": 9101, "ingest-grpc": 9102, "bridge": 9103, "consumer": 9104, "viewer": 9105}
# A kubelet looks for changed Secrets about once a minute.
RENEWED_WITHIN_S = 180
# Traefik applies changed configuration at most every 2 s.
APPLIED_WITHIN_S = 20
PATHS = ("/v1/votes", "/rest/v1/votes", "/grpc/v1/votes")
REFUSED_VOTES = 30
# The Secret with which the Ingress connects to the services.
CLIENT_SECRET = "ingress-client-tls"  # noqa: S105 - a name
POD = "kafka-login"
TIMEOUT_S = 5


def encryption(ledger: Ledger) -> list[Row]:
    """Verifies all certificates, breaks the trust of the Ingress, renews certificates under load, uses all logins."""
    return [
        _certificates(),
        _admin_ports(),
        _without_tls(),
        _unverified(ledger),
        *renewed(
            ledger,
            "certificates of all services and of the Ingress renewed",
            lambda: secrets.renew_certificates(ledger.directory),
        ),
        *_logins(),
        *stores_login.logins(ledger),
        reconciled(ledger),
    ]


def _certificate(service: str, address: str, context: ssl.SSLContext) -> tuple[bytes, str]:
    """Connects; returns the certificate and the version of TLS.

    Raises:
        ClusterError: there was no connection, or no certificate that the context accepts.
    """
    return _presented_by(address, LISTENERS[service], service, context)


def _presented_by(address: str, port: int, name: str, context: ssl.SSLContext) -> tuple[bytes, str]:
    try:
        with (
            socket.create_connection((address, port), TIMEOUT_S) as connection,
            context.wrap_socket(connection, server_hostname=tls.dns_name(name)) as encrypted,
        ):
            return encrypted.getpeercert(binary_form=True), encrypted.version()
    except OSError as error:
        raise kube.ClusterError(f"TLS to {name}, {address}: {error}") from error


def _certificates() -> Row:
    """Connects to every listener with the CA of the deployment, and with the CAs of the system."""
    versions, refused = {}, []
    for service in LISTENERS:
        address = kube.address(service)
        _, versions[service] = _certificate(service, address, tls.context())
        try:
            _certificate(service, address, ssl.create_default_context())
        except kube.ClusterError as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                refused.append(service)
    return Row(
        "every listener has a certificate for its name, signed by the CA of the deployment",
        f"{', '.join(f'{service} {version}' for service, version in versions.items())};"
        f" a client with the CAs of the system refuses {len(refused)} of {len(LISTENERS)}",
        len(refused) == len(LISTENERS),
    )


def _admin_ports() -> Row:
    """Connects to the admin port of every pod with TLS, and requests the metrics without it."""
    addresses = [(pod["status"]["podIP"], port) for name, port in ADMIN_PORTS.items() for pod in kube.pods(name)]
    for address, port in addresses:
        _presented_by(address, port, tls.ADMIN, tls.context())
    plain = [_plain_answer(address, port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") for address, port in addresses]
    return Row(
        "every admin port has a certificate for the name of the admin ports, and answers nothing without TLS",
        f"{len(addresses)} pods; status without TLS: {', '.join(sorted(set(plain)))}",
        bool(addresses) and set(plain) == {"400"},
    )


def _without_tls() -> Row:
    """Sends a vote to every listener without TLS."""
    answers = {service: _plain_status(kube.cluster_ip(service), port) for service, port in ACCEPT_VOTES.items()}
    accepted = [service for service, status in answers.items() if status.startswith("2")]
    return Row(
        "no listener accepts a vote without TLS",
        ", ".join(f"{service}: {status}" for service, status in answers.items()),
        not accepted,
    )


def _plain_status(address: str, port: int) -> str:
    """Posts a vote without TLS; returns the status, or what happened instead."""
    body = json.dumps(VOTE).encode()
    head = (
        f"POST /v1/votes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return _plain_answer(address, port, head + body.decode())


def _plain_answer(address: str, port: int, request: str) -> str:
    """Sends a request without TLS; returns the status, or what happened instead."""
    answer = b""
    with socket.create_connection((address, port), TIMEOUT_S) as connection, suppress(OSError):
        connection.sendall(request.encode())
        answer = connection.recv(1_000)
    status = re.match(rb"HTTP/1\.[01] (\d+)", answer)
    return status.group(1).decode() if status else "no answer"


def _unverified(ledger: Ledger) -> Row:
    """Gives the Ingress another CA, with which it can verify no service, then the right one again."""
    load, own = Load(), tls.ca()

    def send(path: str) -> int:
        status, answer, route = post(kube.cluster_ip("ingress"), path, VOTE, {})
        load.entries.append(entry(answer, route))
        return status

    def is_refused() -> bool:
        return send(PATHS[0]) >= http.HTTPStatus.INTERNAL_SERVER_ERROR

    _set_ca(_other_ca())
    try:
        kube.wait_until("refusals", is_refused, APPLIED_WITHIN_S)
        statuses = [send(PATHS[number % len(PATHS)]) for number in range(REFUSED_VOTES)]
    finally:
        _set_ca(own)
    seconds = kube.wait_until("votes again", lambda: not is_refused(), APPLIED_WITHIN_S)
    ledger.add(load)
    return Row(
        "the Ingress sends no vote to a service that it cannot verify",
        f"with another CA: {REFUSED_VOTES} votes, statuses {sorted(set(statuses))}; with its own CA again: accepted"
        f" after {seconds:.0f} s",
        all(status >= http.HTTPStatus.INTERNAL_SERVER_ERROR for status in statuses),
    )


def _other_ca() -> str:
    """Returns the CA of Kubernetes itself, which has signed no certificate of the deployment."""
    return kube.get("configmap", "kube-root-ca.crt")["data"]["ca.crt"]


def _set_ca(certificates: str) -> None:
    patch = json.dumps({"stringData": {"ca.crt": certificates}})
    kube.kubectl("patch", "secret", CLIENT_SECRET, f"--patch={patch}")


def renewed(ledger: Ledger, what: str, renew: Callable[[], None]) -> list[Row]:
    """Renews all certificates under load, and waits until every pod presents its new one."""
    pods = {pod["metadata"]["name"]: pod for name in RELOADS for pod in kube.pods(name)}
    before, restarts = _presented(pods), _restarts(pods)
    with under_load(ledger) as actions:

        def renew_and_wait() -> None:
            renew()
            kube.wait_until("new certificates", lambda: not _same(before, _presented(pods)), RENEWED_WITHIN_S)

        started = time.monotonic()
        actions.run(what, renew_and_wait)
        seconds = time.monotonic() - started
    now = {pod["metadata"]["name"]: pod for name in RELOADS for pod in kube.pods(name)}
    return [
        *actions.rows(none_failed),
        Row(
            "every pod presents its new certificate, without a restart",
            f"{len(pods)} pods within {seconds:.0f} s, restarts: {_restarts(now) - restarts}",
            now.keys() == pods.keys() and _restarts(now) == restarts,
        ),
    ]


def _presented(pods: dict[str, dict]) -> dict[str, bytes]:
    """Returns the certificate of each pod."""
    return {
        name: _certificate(pod["metadata"]["labels"]["app.kubernetes.io/name"], pod["status"]["podIP"], tls.context())[
            0
        ]
        for name, pod in pods.items()
    }


def _same(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    return [name for name, certificate in before.items() if after[name] == certificate]


def _restarts(pods: dict[str, dict]) -> int:
    return sum(status["restartCount"] for pod in pods.values() for status in pod["status"]["containerStatuses"])


def _logins() -> list[Row]:
    """Uses Kafka with a wrong password, and with users beyond their permissions."""
    prepare = ["prepare", "--partitions=6", "--wait-s=5"]
    attempts = {
        # With the right password, the next command logs in.
        "a wrong password": (
            _attempt(prepare, {"KAFKA_PASSWORD_FILE": "/etc/kafka-login/ca.crt"}),
            "Authentication failed",
        ),
        # The command does not try to create a topic that exists.
        "creation of a topic by `consumer`": (_attempt(prepare, {"KAFKA_TOPIC": "other"}), "TopicAuthorizationFailed"),
        "reading of the topic by `ingest`": (
            _attempt(["reconcile", "--wait-s=5"], {"KAFKA_USERNAME": "ingest"}, "ingest"),
            "TopicAuthorizationFailed",
        ),
    }
    return [
        Row(f"Kafka refuses {what}", reason if reason in log else log[-300:], reason in log)
        for what, (log, reason) in attempts.items()
    ]


def _attempt(arguments: list[str], variables: dict[str, str] | None = None, user: str = "consumer") -> str:
    """Runs a command of the consumer in a pod with the password of a user; returns its log.

    Raises:
        ClusterError: the command succeeded, or did not end.
    """
    pod = consumer_pod(POD, arguments, variables)
    for volume in pod["spec"]["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            if source["secret"]["name"] == "consumer":
                source["secret"]["name"] = user
    kube.kubectl("apply", "--filename=-", stdin=json.dumps(pod))
    try:
        kube.wait_until(
            f"the end of {POD}", lambda: kube.get("pod", POD)["status"]["phase"] in {"Succeeded", "Failed"}, 120
        )
        if kube.get("pod", POD)["status"]["phase"] == "Succeeded":
            raise kube.ClusterError(f"{' '.join(arguments)} succeeded: {kube.kubectl('logs', POD)}")
        return kube.kubectl("logs", POD)
    finally:
        kube.kubectl("delete", "pod", POD, "--wait=true")
