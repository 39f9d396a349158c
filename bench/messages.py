"""Encodes the messages that the load generator sends: votes as protobuf and gRPC, and log records of OTLP.

The encoding is written out, so that the benchmark needs no package from outside the standard library.
"""

import json
from collections.abc import Mapping, Sequence

Vote = Mapping[str, object]

VOTE = {"name": "Alux Nahual", "album": "Alto al fuego", "year": "1987", "rank": "9.5"}

FIELDS = ("name", "album", "year", "rank")
VOTE_ID_BYTES = 36
"""A UUID as text, which is also the key of a record."""
TIME = 1_796_000_000_000_000
"""A time of 2026 in microseconds since 1970: it takes as many bytes as the time of any vote."""


def protobuf_vote(vote: Vote) -> bytes:
    """Encodes a `votes.v1.Vote`."""
    return b"".join(_field(number, str(vote[name]).encode()) for number, name in enumerate(FIELDS, start=1))


def protobuf_batch(votes: Sequence[Vote]) -> bytes:
    """Encodes a `votes.v1.CastVotesRequest`."""
    return b"".join(_field(1, protobuf_vote(vote)) for vote in votes)


def event_bytes(vote: Vote) -> int:
    """Returns the size of the `votes.v1.VoteEvent` that the services write for a vote without an id."""
    vote_id = _field(5, b"-" * VOTE_ID_BYTES)
    route, received_at = b"\x30\x01", b"\x38" + _varint(TIME)
    return len(protobuf_vote(vote) + vote_id + route + received_at)


def grpc_frame(message: bytes) -> bytes:
    """Prefixes a message with a flag (not compressed) and its length, as gRPC does."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def otlp_json(vote: Vote) -> bytes:
    """Encodes an `ExportLogsServiceRequest` with one log record, whose body has the fields of the vote, as JSON."""
    fields = [{"key": name, "value": {"stringValue": str(vote[name])}} for name in FIELDS]
    record = {"timeUnixNano": str(TIME * 1_000), "body": {"kvlistValue": {"values": fields}}}
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()


def otlp_protobuf(vote: Vote) -> bytes:
    """Encodes the same request as protobuf."""
    key_values = ((name.encode(), str(vote[name]).encode()) for name in FIELDS)
    values = b"".join(_field(1, _field(1, key) + _field(2, _field(1, value))) for key, value in key_values)
    body = _field(6, values)
    # A field of the type fixed64: the time in ns.
    record = b"\x09" + (TIME * 1_000).to_bytes(8, "little") + _field(5, body)
    return _field(1, _field(2, _field(2, record)))


def _field(number: int, content: bytes) -> bytes:
    """Encodes a field with a length: text, bytes, or a message."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
