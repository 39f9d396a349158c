"""What schemathesis sends for protobuf and for JSON lines, which it does not know: votes, and random bytes."""

import json

import schemathesis
from hypothesis import strategies as st

PROTOBUF = ["application/x-protobuf", "application/protobuf", "application/vnd.google.protobuf"]


def protobuf_field(number: int, value: bytes) -> bytes:
    """Encodes a field of text or of a message, shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(value)]) + value


fields = st.tuples(
    st.text(max_size=20),
    st.text(max_size=20),
    st.integers(1890, 2110).map(str),
    st.decimals(-1, 101, places=2).map(str),
)
messages = fields.map(
    lambda values: b"".join(protobuf_field(number, text.encode()[:90]) for number, text in enumerate(values, 1))
)
batches = st.lists(messages.filter(lambda vote: len(vote) < 128).map(lambda vote: protobuf_field(1, vote)), max_size=3)
lines = st.lists(
    fields.map(lambda values: json.dumps(dict(zip(["name", "album", "year", "rank"], values, strict=True)))), max_size=3
)

for name in PROTOBUF:
    schemathesis.openapi.media_type(name, st.one_of(messages, batches.map(b"".join), st.binary(max_size=64)))
schemathesis.openapi.media_type(
    "application/x-ndjson", st.one_of(lines.map(lambda text: "\n".join(text).encode()), st.binary(max_size=64))
)
