"""Helpers for the tests of vote files."""

from pathlib import Path

import pytest

from dualpath_locust.votes import FIELDS, VoteFileError, read_votes

GOOD = {"name": "Extinción", "album": "Orange Buddha", "year": "1996", "rank": "8.5"}
VALUES = tuple(GOOD.values())
HEADER = "name,album,year,rank\n"
ROW = "Extinción,Orange Buddha,1996,8.5\n"


def write(directory: Path, content: str | bytes) -> Path:
    """Writes a vote file and returns its path."""
    path = directory / "votes"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def fields(path: Path) -> list[tuple[str, ...]]:
    """Reads a vote file and returns the four fields of each vote as text."""
    return [tuple(getattr(vote.message, field) for field in FIELDS) for vote in read_votes(path)]


def read_error(path: Path) -> str:
    """Reads an invalid vote file and returns the message without the path."""
    with pytest.raises(VoteFileError) as caught:
        read_votes(path)
    message = str(caught.value)
    message.encode()  # a message that cannot be encoded ends in a traceback of the logger
    assert message.startswith(str(path))
    return message.removeprefix(str(path))
