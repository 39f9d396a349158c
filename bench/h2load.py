"""h2load: what it is told to send, and what it says came back."""

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

VOTE = {"name": "Alux Nahual", "album": "Alto al fuego", "year": "1987", "rank": "9.5"}


class BenchError(RuntimeError):
    """A measurement that is worth nothing."""


@dataclass(frozen=True)
class Case:
    """A protocol under test.

    Attributes:
        name: as it stands in the report.
        half: the half of the system that serves it, `rest` or `grpc`.
        url_path: path of a single vote.
        connections: TCP connections.
        streams: votes in flight on each of them.
        options: what h2load needs for this protocol.
        body: one vote, encoded.
    """

    name: str
    half: str
    url_path: str
    connections: int
    streams: int
    options: tuple[str, ...]
    body: bytes


def _json_body() -> bytes:
    return json.dumps(VOTE).encode()


def _grpc_body() -> bytes:
    # A protobuf message of short strings is tag, length, text; gRPC puts a flag and the length in front.
    texts = [text.encode() for text in VOTE.values()]
    message = b"".join(bytes([number << 3 | 2, len(text)]) + text for number, text in enumerate(texts, start=1))
    return b"\0" + len(message).to_bytes(4, "big") + message


def cases(in_flight: int) -> list[Case]:
    """All protocols, each with `in_flight` votes in flight.

    HTTP/1.1 carries one vote a connection. HTTP/2 shares a connection; four of them let both cores of the service work.
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


@dataclass(frozen=True)
class Answers:
    """What h2load counted: seconds for all, answers with a 2xx status, bytes of all their bodies."""

    seconds: float
    succeeded: int
    body_bytes: int


def parse(output: str) -> Answers:
    """Reads h2load's summary.

    Raises:
        BenchError: there is none.
    """
    finished = re.search(r"^finished in ([\d.]+)(us|ms|s), ", output, re.MULTILINE)
    statuses = re.search(r"^status codes: (\d+) 2xx", output, re.MULTILINE)
    traffic = re.search(r"^traffic: .* \((\d+)\) data$", output, re.MULTILINE)
    if not (finished and statuses and traffic):
        raise BenchError(f"h2load gave no summary:\n{output}")
    unit = {"us": 1e-6, "ms": 1e-3, "s": 1.0}[finished[2]]
    return Answers(float(finished[1]) * unit, int(statuses[1]), int(traffic[1]))


def send(case: Case, address: str, votes: int) -> Answers:
    """Sends votes and waits for all answers.

    The number is fixed rather than the time: at the end of a fixed time, h2load would leave votes unanswered that are
    in Kafka nevertheless.

    Raises:
        BenchError: not every answer was a receipt.
    """
    with tempfile.NamedTemporaryFile() as body:
        Path(body.name).write_bytes(case.body)
        command = ["h2load", f"--requests={votes}", f"--clients={case.connections}"]
        command += [f"--max-concurrent-streams={case.streams}", f"--data={body.name}", *case.options]
        result = subprocess.run(  # noqa: S603 - our own arguments
            [*command, f"http://{address}{case.url_path}"], capture_output=True, text=True, check=False
        )
    if result.returncode != 0:
        raise BenchError(f"h2load failed: {result.stderr or result.stdout}")
    answers = parse(result.stdout)
    if answers.succeeded != votes:
        raise BenchError(f"{case.name}: {votes - answers.succeeded} of {votes} votes were not accepted")
    # A gRPC error is HTTP 200 without a body; no receipt is as short as this.
    if answers.body_bytes < 20 * votes:
        raise BenchError(f"{case.name}: {answers.body_bytes} bytes are no {votes} receipts")
    return answers
