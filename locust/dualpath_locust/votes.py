"""Reads vote files: a JSON array, JSON lines or CSV. The first character determines the format."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dualpath_locust.pb import votes_pb2

FIELDS = ("name", "album", "year", "rank")


class VoteFileError(ValueError):
    """The vote file is invalid. The message has the file and, if known, line and field."""


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote, encoded once for each protocol.

    Attributes:
        body: the JSON document; numbers stay numbers.
        message: the protobuf message; all fields are text.
    """

    body: bytes
    message: votes_pb2.Vote

    @classmethod
    def from_fields(cls, fields: dict[str, str | int | float]) -> "Vote":
        """Encodes the four fields of a vote."""
        text = {field: str(fields[field]) for field in FIELDS}
        return cls(
            body=json.dumps(fields, ensure_ascii=False).encode(),
            message=votes_pb2.Vote(**text),
        )


def read_votes(path: Path) -> list[Vote]:
    """Reads a vote file.

    Every vote needs `name`, `album`, `year` and `rank`, each text or a number. Other fields are ignored. The values are
    not validated, so that a file can contain votes that the service must reject.

    Raises:
        VoteFileError: the file is missing, empty or malformed.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise VoteFileError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise VoteFileError(f"{path}:{line}: not UTF-8") from error

    first_character = text.lstrip()[:1]
    if not first_character:
        records = iter(())
    elif first_character == "[":
        records = _json_array(path, text)
    elif first_character == "{":
        records = _json_lines(path, text)
    else:
        records = _csv(path, text)
    votes = [Vote.from_fields(_checked(path, line, record)) for line, record in records]
    if not votes:
        raise VoteFileError(f"{path}: no votes")
    return votes


def _json_array(path: Path, text: str) -> Iterator[tuple[int, object]]:
    # Decode each element separately, because json.loads does not report the line of an element.
    decoder = json.JSONDecoder()
    position = _after_whitespace(text, text.index("[") + 1)
    line, counted_to = 1, 0
    at_end = text[position : position + 1] == "]"
    while not at_end:
        line += text.count("\n", counted_to, position)
        counted_to = position
        try:
            record, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise VoteFileError(f"{path}:{error.lineno}: malformed JSON: {error.msg}") from error
        yield line, record

        position = _after_whitespace(text, position)
        separator = text[position : position + 1]
        if separator not in ("]", ","):
            raise VoteFileError(f"{_location(path, text, position)}: malformed JSON: expected ',' or ']' after a vote")
        at_end = separator == "]"
        if not at_end:
            position = _after_whitespace(text, position + 1)

    rest = _after_whitespace(text, position + 1)
    if rest < len(text):
        raise VoteFileError(f"{_location(path, text, rest)}: malformed JSON: text after the closing ']'")


def _location(path: Path, text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"{path}:{line}"


def _after_whitespace(text: str, position: int) -> int:
    while text[position : position + 1] in tuple(" \t\r\n"):
        position += 1
    return position


def _json_lines(path: Path, text: str) -> Iterator[tuple[int, object]]:
    # Not splitlines(), which also splits at U+2028. A JSON string can contain that character.
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            record = json.loads(content)
        except json.JSONDecodeError as error:
            raise VoteFileError(f"{path}:{line}: malformed JSON: {error.msg}") from error
        yield line, record


def _csv(path: Path, text: str) -> Iterator[tuple[int, object]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for field in FIELDS:
            if field not in (reader.fieldnames or ()):
                raise VoteFileError(f"{path}:1: {field}: missing column in the header")
        for record in reader:
            if None in record:
                raise VoteFileError(f"{path}:{reader.line_num}: more cells than the header has columns")
            yield reader.line_num, record
    except csv.Error as error:
        raise VoteFileError(f"{path}:{reader.line_num}: malformed CSV: {error}") from error


def _checked(path: Path, line: int, record: object) -> dict[str, str | int | float]:
    if not isinstance(record, dict):
        raise VoteFileError(f"{path}:{line}: a vote must be an object, got {json.dumps(record)[:40]}")
    for field in FIELDS:
        value = record.get(field)
        if value is None or value == "":
            raise VoteFileError(f"{path}:{line}: {field}: missing")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise VoteFileError(f"{path}:{line}: {field}: neither text nor a number: {json.dumps(value)[:40]}")
    return {field: record[field] for field in FIELDS}
