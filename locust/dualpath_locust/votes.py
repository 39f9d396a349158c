"""Reads vote files. The first character determines the format: JSON starts with `[` or `{`, anything else is CSV."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from dualpath_locust.pb import votes_pb2
from dualpath_locust.vote_file.columns import FIELDS, shown
from dualpath_locust.vote_file.csv_format import read_csv
from dualpath_locust.vote_file.error import VoteFileError
from dualpath_locust.vote_file.json_format import read_json
from dualpath_locust.vote_file.text import read_text

__all__ = ["FIELDS", "Vote", "VoteFileError", "read_votes"]


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
            body=json.dumps(fields, ensure_ascii=False, allow_nan=False).encode(),
            message=votes_pb2.Vote(**text),
        )


def read_votes(path: Path) -> list[Vote]:
    """Reads a vote file.

    Every vote needs `name`, `album`, `year` and `rank`, each text or a number. `vote_file.columns` has other names for
    them. Other fields are ignored. The values are not validated, so that a file can contain votes that the service must
    reject, but both protocols must be able to express them.

    Raises:
        VoteFileError: the file is missing, empty or malformed.
    """
    text = read_text(path)
    first_character = text.lstrip()[:1]
    if not first_character:
        records = iter(())
    elif first_character in "[{":
        records = read_json(path, text)
    else:
        records = read_csv(path, text)
    votes = [Vote.from_fields(_checked(path, line, record)) for line, record in records]
    if not votes:
        raise VoteFileError(path, "no votes")
    return votes


def _checked(path: Path, line: int, record: dict[str, object]) -> dict[str, str | int | float]:
    for field in FIELDS:
        fault = _fault(record[field])
        if fault is not None:
            raise VoteFileError(path, f"{field}: {fault}", line)
    return {field: record[field] for field in FIELDS}


def _fault(value: object) -> str | None:
    if value is None or value == "":
        return "missing"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return f"neither text nor a number: {json.dumps(value)[:40]}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{json.dumps(value)} is not a number in JSON: write a number or text"
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return f"{shown(value)} contains a lone surrogate, which is half a character: write the whole character"
    return None
