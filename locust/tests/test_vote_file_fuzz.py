"""Any bytes are votes or a `VoteFileError`, and votes that were written are read as they were."""

import csv
import io
import json
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vote_files import GOOD, HEADER, ROW

from dualpath_locust.vote_file.csv_format import DECIMAL_COMMA
from dualpath_locust.votes import FIELDS, VoteFileError, read_votes

# The same inputs in each run, so that a change fails only because of what it changes. A busy machine has no deadline.
settings.register_profile(
    "dualpath",
    derandomize=True,
    max_examples=500,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("dualpath")

LINE = json.dumps(GOOD, ensure_ascii=False)
EXAMPLES = [
    text.encode(encoding)
    for text in (
        HEADER + ROW,
        "sep=;\n" + (HEADER + ROW).replace(",", ";"),
        LINE,
        f'{{"votes": [{LINE},\n{LINE}]}}',
        f"[{LINE}]",
    )
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252")
]
# What the formats and the names of columns consist of.
PARTS = [
    *'{}[]",:;|\t\n\r ',
    "sep=",
    '"votes":',
    *FIELDS,
    "artist",
    "Año",
    "\ufeff",
    "\\ud800",
    "1e999",
    "NaN",
    "9,5",
    "null",
]
DELIMITERS = st.sampled_from([",", ";", "\t", "|"])


def edited(example: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Replaces some bytes at each position by others."""
    for position, count, replacement in edits:
        start = position % (len(example) + 1)
        example = example[:start] + replacement + example[start + count :]
    return example


EDITS = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 3), st.binary(max_size=3)), max_size=4)
ODD = st.sampled_from([None, True, "", "\ud800", math.nan, math.inf, -math.inf, [], {}])
SCALARS = st.integers() | st.floats() | st.text(max_size=5) | ODD
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner), max_leaves=10
)
FILES = st.one_of(
    st.binary(max_size=200),
    st.builds(edited, st.sampled_from(EXAMPLES), EDITS),
    st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=40).map(lambda parts: "".join(parts).encode()),
    VALUES.map(json.dumps).map(str.encode),
    st.dictionaries(st.sampled_from(FIELDS), SCALARS).map(lambda change: json.dumps(GOOD | change).encode()),
)

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(min_size=1, max_size=30)
JSON_VOTES = st.lists(
    st.fixed_dictionaries({"name": TEXT, "album": TEXT, "year": TEXT | NUMBERS, "rank": TEXT | NUMBERS}),
    min_size=1,
    max_size=5,
)
# A cell has no control characters, and blanks around it do not count.
CELL = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30).map(str.strip).filter(bool)
RANK = CELL.filter(lambda text: not DECIMAL_COMMA.fullmatch(text))
CSV_VOTES = st.lists(st.tuples(CELL, CELL, CELL, RANK), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("votes") / "votes"


@given(FILES)
def test_any_bytes_are_votes_or_one_error(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        votes = read_votes(path)
    except VoteFileError as error:
        message = str(error)
        message.encode()
        assert message.startswith(f"{path}:")
        assert message.removeprefix(f"{path}:").strip(" 0123456789:")
        return
    assert votes
    for vote in votes:
        fields = json.loads(vote.body)
        assert tuple(fields) == FIELDS
        assert all(isinstance(value, str | int | float) and not isinstance(value, bool) for value in fields.values())
        assert [getattr(vote.message, field) for field in FIELDS] == [str(value) for value in fields.values()]


@given(JSON_VOTES, st.booleans(), st.sampled_from(["array", "lines", "wrapper"]))
def test_json_that_was_written_is_read_as_it_was(path: Path, votes: list[dict], escapes: bool, shape: str) -> None:
    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=escapes)

    path.write_text(
        {
            "array": text(votes),
            "lines": "\n".join(map(text, votes)),
            "wrapper": text({"votes": votes}),
        }[shape],
        encoding="utf-8",
        newline="",
    )
    assert [json.loads(vote.body) for vote in read_votes(path)] == votes


@given(CSV_VOTES, DELIMITERS, st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_csv_that_was_written_is_read_as_it_was(
    path: Path, votes: list[tuple[str, ...]], delimiter: str, encoding: str
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([FIELDS, *votes])
    path.write_text(text.getvalue(), encoding=encoding, newline="")
    read = [tuple(getattr(vote.message, field) for field in FIELDS) for vote in read_votes(path)]
    assert read == [vote for vote in votes if vote != FIELDS]
