"""Routing through the Ingress: each documented path reaches its route."""

import json
import subprocess
from pathlib import Path

from cluster_test import kube, tls
from cluster_test.ledger import Ledger
from cluster_test.load import Load
from cluster_test.report import Row
from cluster_test.stages.common import reconciled

VOTE = {"name": "Alux Nahual", "album": "Centroamérica", "year": "1984", "rank": "9.5"}
FORCED_VOTES = 200
PORT = 8000
PROTO = ("-import-path", str(Path(__file__).parents[3] / "proto/votes/v1"), "-proto", "votes.proto")


def post(address: str, path: str, body: object, headers: dict[str, str]) -> tuple[int, dict, str | None]:
    """Posts JSON; returns status, body and route."""
    connection = tls.connect("ingress", PORT, address)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        content = answer.read()
        # Traefik's own answers are plain text.
        is_json = "json" in answer.headers.get("Content-Type", "")
        return answer.status, json.loads(content) if is_json else {}, answer.headers.get("x-ingest-route")
    finally:
        connection.close()


def status(address: str, path: str, headers: dict[str, str]) -> int:
    """Posts a vote; returns the status of the answer, which need not be JSON."""
    connection = tls.connect("ingress", PORT, address)
    try:
        connection.request("POST", path, json.dumps(VOTE), {"Content-Type": "application/json", **headers})
        return connection.getresponse().status
    finally:
        connection.close()


def entry(answer: dict, route: str | None) -> dict:
    """Returns a ledger entry for a response."""
    return {"vote_id": answer.get("vote_id"), "route": route, "ok": "vote_id" in answer, "path": "direct"}


def routes(ledger: Ledger) -> list[Row]:
    """Tests the x-canary header, path prefixes, batches, native gRPC, and requests that the Ingress refuses."""
    address, load, rows = kube.cluster_ip("ingress"), Load(), []
    for value, expected in (("always", "bridge"), ("never", "rest")):
        seen = []
        for _ in range(FORCED_VOTES):
            _, answer, route = post(address, "/v1/votes", VOTE, {"x-canary": value})
            load.entries.append(entry(answer, route))
            seen.append(route)
        measured = f"{seen.count(expected)} of {FORCED_VOTES} answered by {expected}"
        rows.append(Row(f"`x-canary: {value}` forces {expected}", measured, seen.count(expected) == FORCED_VOTES))

    correct = {}
    for prefix, expected in (("/rest", "rest"), ("/rust", "rest"), ("/wasm", "rest"), ("/grpc", "bridge")):
        for path in ("/v1/votes", "/insert", "/send_data", "/", ""):
            status, answer, route = post(address, prefix + path, VOTE, {})
            load.entries.append(entry(answer, route))
            correct[prefix + path] = status == 202 and route == expected
    wrong = [path for path, is_correct in correct.items() if not is_correct]
    rows.append(
        Row(
            "path prefixes are stripped and select their route",
            f"{len(correct)} paths, wrong: {wrong or 'none'}",
            not wrong,
        )
    )

    status, answer, route = post(address, "/v1/votes:batch", [VOTE] * 10, {})
    load.entries += [entry(result, route) for result in answer.get("results", [])]
    rows.append(
        Row(
            "`/v1/votes:batch` accepts a batch",
            f"{answer.get('accepted')} of 10 accepted by {route}",
            answer.get("accepted") == 10,
        )
    )
    rows += _grpc(address, load)
    rows += _refusals(address)
    ledger.add(load)
    rows.append(reconciled(ledger))
    return rows


def _refusals(address: str) -> list[Row]:
    """Sends requests that no route serves, or that are too large. The services answer them."""
    paths = ("/", "/insert", "/v2/votes", "/openapi.json")
    unknown = {path: post(address, path, VOTE, {}) for path in paths}
    answers = {(status, answer.get("title"), route) for status, answer, route in unknown.values()}
    # The service has this method, but only the bridge may call it.
    forward = _grpcurl(address, "votes.v1.BridgeService/Forward", {}, *PROTO).get("error", "no error")
    sizes = (40_000, 70_000)
    heads = {size: status(address, "/rest/v1/votes", {"x-large": "x" * size}) for size in sizes}
    return [
        Row(
            "an unknown path gets a problem document, an unknown gRPC method UNIMPLEMENTED",
            f"{', '.join(paths)}: {sorted(answers, key=str)}; gRPC: {' '.join(forward.split())}",
            {(code, route) for code, _, route in answers} == {(404, "rest")} and "Code: Unimplemented" in forward,
        ),
        Row(
            "a request head that is too large gets 431",
            ", ".join(f"{size} bytes: {code}" for size, code in heads.items()),
            set(heads.values()) == {431},
        ),
    ]


def _grpcurl(address: str, method: str, data: dict, *options: str) -> dict:
    """Calls a gRPC method, found by reflection or in the file of the options; returns the response or `error`."""
    program = str(kube.CACHE / "tools/bin/grpcurl")
    trust = ["-cacert", str(tls.ca_file()), "-authority", tls.dns_name("ingress")]
    command = [program, *trust, *options, "-d", json.dumps(data), f"{address}:{PORT}", method]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return json.loads(run.stdout) if run.returncode == 0 else {"error": run.stderr.strip()[-300:]}


def _grpc(address: str, load: Load) -> list[Row]:
    """Calls the gRPC services with grpcurl, which uses reflection."""

    def call(method: str, data: dict | None = None) -> dict:
        return _grpcurl(address, method, data or {})

    cast = call("votes.v1.VoteService/CastVote", VOTE)
    load.entries.append(
        {"vote_id": cast.get("voteId"), "route": cast.get("route"), "ok": "voteId" in cast, "path": "direct"}
    )
    course = call("confproto.getInfo/returnInfo", VOTE)
    load.entries.append({"vote_id": None, "route": "grpc", "ok": False, "path": "direct"})
    health = call("grpc.health.v1.Health/Check")
    ok = cast.get("route") == "grpc" and "info" in course and health.get("status") == "SERVING"
    measured = f"route {cast.get('route')}, health {health.get('status')}, course's reply {course.get('info')!r}"
    errors = "; ".join(answer["error"] for answer in (cast, course, health) if "error" in answer)
    return [
        Row("native gRPC, reflection, health and the course's service work on the same port", errors or measured, ok)
    ]
