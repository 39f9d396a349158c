"""Runs h2load and parses its summary."""

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import BenchError, run_command

VOTE = {"name": "Alux Nahual", "album": "Alto al fuego", "year": "1987", "rank": "9.5"}


@dataclass(frozen=True)
class Case:
    """A protocol under test.

    Attributes:
        name: the name in the report.
        service: the service that implements the protocol, `rest` or `grpc`.
        url_path: the URL path of a single vote.
        connections: the number of TCP connections.
        streams: votes in flight per connection.
        options: h2load's options for this protocol.
        body: the body of a request.
        votes: the number of votes in a body.
    """

    name: str
    service: str
    url_path: str
    connections: int
    streams: int
    options: tuple[str, ...]
    body: bytes
    votes: int = 1


def _json_body() -> bytes:
    return json.dumps(VOTE).encode()


def _grpc_body() -> bytes:
    # A protobuf string field is tag, length, text. gRPC prefixes the message with a flag and the length.
    texts = [text.encode() for text in VOTE.values()]
    message = b"".join(bytes([number << 3 | 2, len(text)]) + text for number, text in enumerate(texts, start=1))
    return b"\0" + len(message).to_bytes(4, "big") + message


def cases(in_flight: int) -> list[Case]:
    """Returns all protocols, each with `in_flight` votes in flight.

    HTTP/1.1 carries one vote per connection at a time. HTTP/2 carries many, so four connections keep both cores of the
    service busy.
    """
    json_header = ("--header", "content-type: application/json")
    grpc_headers = ("--header", "content-type: application/grpc", "--header", "te: trailers")
    multiplexed = 4, in_flight // 4
    cast_vote = "/votes.v1.VoteService/CastVote"
    return [
        Case("REST, HTTP/1.1", "rest", "/v1/votes", in_flight, 1, ("--h1", *json_header), _json_body()),
        Case("REST, h2c", "rest", "/v1/votes", *multiplexed, json_header, _json_body()),
        Case("gRPC", "grpc", cast_vote, *multiplexed, grpc_headers, _grpc_body()),
    ]


JSON_BATCH = 1_000
"""The most votes that the API accepts in a batch."""


def json_batch(votes: Sequence[Mapping[str, object]]) -> Case:
    """Returns a batch on the route `rest`, sent by four clients that wait for the answer."""
    options = ("--h1", "--header", "content-type: application/json")
    body = json.dumps(votes, ensure_ascii=False).encode()
    return Case("batches of 1,000, JSON", "rest", "/v1/votes:batch", 4, 1, options, body, len(votes))


@dataclass(frozen=True)
class LoadResult:
    """The summary of h2load: total seconds, number of 2xx responses, total bytes of the response bodies."""

    seconds: float
    succeeded: int
    body_bytes: int


def parse(output: str) -> LoadResult:
    """Parses the summary in h2load's output.

    Raises:
        BenchError: the output has no summary.
    """
    finished = re.search(r"^finished in ([\d.]+)(us|ms|s), ", output, re.MULTILINE)
    statuses = re.search(r"^status codes: (\d+) 2xx", output, re.MULTILINE)
    traffic = re.search(r"^traffic: .* \((\d+)\) data$", output, re.MULTILINE)
    if not (finished and statuses and traffic):
        raise BenchError(f"h2load printed no summary:\n{output}")
    unit = {"us": 1e-6, "ms": 1e-3, "s": 1.0}[finished[2]]
    return LoadResult(float(finished[1]) * unit, int(statuses[1]), int(traffic[1]))


def send(case: Case, address: str, votes: int) -> LoadResult:
    """Sends votes and waits for all responses. `votes` is a multiple of the votes in a request.

    The number of votes is fixed, not the time: at the end of a fixed time h2load would drop votes in flight that Kafka
    stores anyway.

    Raises:
        BenchError: not every response is a receipt.
    """
    requests = votes // case.votes
    with tempfile.NamedTemporaryFile() as body:
        Path(body.name).write_bytes(case.body)
        command = ["h2load", f"--requests={requests}", f"--clients={case.connections}"]
        command += [f"--max-concurrent-streams={case.streams}", f"--data={body.name}", *case.options]
        result = parse(run_command([*command, f"http://{address}{case.url_path}"]))
    if result.succeeded != requests:
        raise BenchError(f"{case.name}: {requests - result.succeeded} of {requests} requests were not accepted")
    # A gRPC error is HTTP 200 without a body. A receipt is longer than 20 bytes.
    if result.body_bytes < 20 * votes:
        raise BenchError(f"{case.name}: {result.body_bytes} bytes are too few for {votes} receipts")
    return result
