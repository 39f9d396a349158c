"""Vote files: the three formats, and the location of errors."""

import json
from pathlib import Path

import pytest
from vote_files import GOOD, HEADER, fields, write

from dualpath_locust.options import SHIPPED_VOTES
from dualpath_locust.votes import FIELDS, VoteFileError, read_votes


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([GOOD, GOOD]),
        json.dumps([GOOD, GOOD], indent=4),
        "\ufeff" + json.dumps([GOOD, GOOD]),
        json.dumps(GOOD) + "\n\n" + json.dumps(GOOD),
        json.dumps(GOOD) + "\r\n" + json.dumps(GOOD) + "\r\n",
        HEADER + "Extinción,Orange Buddha,1996,8.5\n" * 2,
        "rank,year,album,name,genre\n" + "8.5,1996,Orange Buddha,Extinción,rock\n" * 2,
        HEADER.replace("\n", "\r\n") + '"Extinción","Orange Buddha",1996,8.5\r\n' * 2,
    ],
)
def test_every_format_gives_the_same_votes(tmp_path: Path, text: str) -> None:
    assert fields(write(tmp_path, text)) == [tuple(GOOD.values())] * 2


def test_numbers_stay_numbers_in_json_and_become_text_in_protobuf(tmp_path: Path) -> None:
    (vote,) = read_votes(write(tmp_path, json.dumps([GOOD | {"year": 1996, "rank": 8.5}])))
    assert json.loads(vote.body) == GOOD | {"year": 1996, "rank": 8.5}
    assert (vote.message.year, vote.message.rank) == ("1996", "8.5")


def test_other_fields_are_ignored(tmp_path: Path) -> None:
    (vote,) = read_votes(write(tmp_path, json.dumps([GOOD | {"vote_id": "x", "genre": "rock"}])))
    assert json.loads(vote.body) == GOOD


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no votes"),
        ("[]", "no votes"),
        (HEADER, "no votes"),
        (json.dumps([GOOD, GOOD | {"year": None}], indent=1), ":8: year: missing"),
        (json.dumps([GOOD, GOOD | {"rank": True}]), ":1: rank: neither text nor a number: true"),
        (f"[{json.dumps(GOOD)},\n{json.dumps(GOOD)}\n{json.dumps(GOOD)}]", ":3: malformed JSON"),
        (f"[{json.dumps(GOOD)},\n{{'name'}}]", ":2: malformed JSON"),
        (f"[{json.dumps(GOOD)},\n", ":2: malformed JSON"),
        (f"[{json.dumps(GOOD)}]\n]", ":2: malformed JSON: text after"),
        (f"[{json.dumps(GOOD)},\n7]", ":2: a vote must be an object, got 7"),
        (json.dumps(GOOD) + "\n" + json.dumps({"name": "Extinción"}), ":2: album, year, rank: missing"),
        (json.dumps(GOOD) + "\n{", ":2: malformed JSON"),
        ("name,album,year\n", ":1: rank: missing"),
        (HEADER + "Extinción,,1996,8.5\n", ":2: album: missing"),
        (HEADER + "Extinción,Orange Buddha,1996\n", ":2: rank: missing"),
        (HEADER + "Extinción,Orange Buddha,1996,8.5,9\n", ":2: more cells"),
        (HEADER + '"Extinción,Orange Buddha,1996,8.5\n', "malformed CSV"),
    ],
)
def test_error_has_file_line_and_field(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(VoteFileError) as caught:
        read_votes(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_missing_file_and_wrong_encoding_are_errors(tmp_path: Path) -> None:
    with pytest.raises(VoteFileError, match="No such file"):
        read_votes(tmp_path / "none.json")
    path = tmp_path / "latin1.csv"
    path.write_bytes((HEADER + "Extinción,a,1996,1\n").encode("latin-1"))
    with pytest.raises(VoteFileError, match=r"latin1\.csv:2: not UTF-8"):
        read_votes(path)


def test_shipped_votes_are_valid() -> None:
    votes = read_votes(SHIPPED_VOTES)
    assert len(votes) >= 1200
    for vote in votes:
        name, album, year, rank = (getattr(vote.message, field) for field in FIELDS)
        assert 1 <= len(name.strip()) <= 200
        assert 1 <= len(album.strip()) <= 200
        assert 1900 <= int(year) <= 2100
        assert 0 <= float(rank) <= 10
        assert round(float(rank), 2) == float(rank)


def test_examples_are_the_first_shipped_votes() -> None:
    shipped = fields(SHIPPED_VOTES)
    for example in ("example.jsonl", "example.csv"):
        votes = fields(SHIPPED_VOTES.with_name(example))
        assert votes == shipped[: len(votes)]
