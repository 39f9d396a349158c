"""The protocols under test, and the request that the load generator repeats for each."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import messages
from messages import VOTE, Vote

JSON_HEADER = ("--header", "content-type: application/json")
GRPC_HEADERS = ("--header", "content-type: application/grpc", "--header", "te: trailers")
BULK_CONNECTIONS = 4
BATCH = 1_000
"""The most votes that the API accepts in a batch."""
STREAMS = 4
"""The streams of a client. A stream has at most 256 votes in flight, so 16 streams have as many as four batches."""
BATCHES_OF_STREAM = 10
"""Long enough that the start and the end of a stream hardly count."""


@dataclass(frozen=True)
class Case:
    """A protocol under test.

    Attributes:
        name: the name in the report.
        service: the service that implements the protocol, `rest` or `grpc`.
        url_path: the URL path of the requests.
        connections: the number of TCP connections.
        streams: requests in flight per connection.
        options: h2load's options for this protocol.
        body: the body of a request.
        votes: the number of votes in a body.
        answer_bytes: the fewest bytes of an answer to a vote. A gRPC error has none.
        warm_up_votes: the number of votes before the measurement.
    """

    name: str
    service: str
    url_path: str
    connections: int
    streams: int
    options: tuple[str, ...]
    body: bytes
    votes: int = 1
    answer_bytes: int = 20
    warm_up_votes: int = 10_000

    def whole_requests(self, votes: float) -> int:
        """Rounds a number of votes up to whole requests, as many for each request in flight."""
        step = self.votes * self.connections * self.streams
        return max(1, math.ceil(votes / step)) * step


def single_votes(in_flight: int) -> list[Case]:
    """Returns all protocols for single votes, each with `in_flight` votes in flight.

    HTTP/1.1 carries one vote per connection at a time. HTTP/2 carries many, so four connections keep both cores of the
    service busy.
    """
    json_body = json.dumps(VOTE).encode()
    grpc_body = messages.grpc_frame(messages.protobuf_vote(VOTE))
    multiplexed = 4, in_flight // 4
    cast_vote = "/votes.v1.VoteService/CastVote"
    return [
        Case("REST, HTTP/1.1", "rest", "/v1/votes", in_flight, 1, ("--h1", *JSON_HEADER), json_body),
        Case("REST, h2c", "rest", "/v1/votes", *multiplexed, JSON_HEADER, json_body),
        Case("gRPC", "grpc", cast_vote, *multiplexed, GRPC_HEADERS, grpc_body),
    ]


def log_records(in_flight: int) -> list[Case]:
    """Returns the cases of the OpenTelemetry Collector, by the names of those that they are compared with.

    A request is one log record with the fields of a vote. The answers are shorter than a receipt.
    """
    http1, _, grpc = single_votes(in_flight)
    export = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
    return [
        replace(http1, url_path="/v1/logs", body=messages.otlp_json(VOTE), answer_bytes=2),
        replace(grpc, url_path=export, body=messages.grpc_frame(messages.otlp_protobuf(VOTE)), answer_bytes=5),
    ]


def bulk(votes: Sequence[Vote]) -> list[Case]:
    """Returns batches and streams of these votes, sent by four clients.

    A client sends its next batch after the answer to the last one. A stream is one request of gRPC, whose body is a
    sequence of votes; the service answers while it still reads.

    Args:
        votes: as many votes as a batch has.
    """
    batch = Case(
        name="batches, JSON",
        service="rest",
        url_path="/v1/votes:batch",
        connections=BULK_CONNECTIONS,
        streams=1,
        options=("--h1", *JSON_HEADER),
        body=json.dumps(votes, ensure_ascii=False).encode(),
        votes=len(votes),
        warm_up_votes=200_000,
    )
    grpc_batch = replace(
        batch,
        name="batches, gRPC",
        service="grpc",
        url_path="/votes.v1.VoteService/CastVotes",
        options=GRPC_HEADERS,
        body=messages.grpc_frame(messages.protobuf_batch(votes)),
    )
    frames = b"".join(messages.grpc_frame(messages.protobuf_vote(vote)) for vote in votes)
    streams = replace(
        grpc_batch,
        name="streams, gRPC",
        url_path="/votes.v1.VoteService/StreamVotes",
        streams=STREAMS,
        body=frames * BATCHES_OF_STREAM,
        votes=len(votes) * BATCHES_OF_STREAM,
    )
    return [batch, grpc_batch, streams]
