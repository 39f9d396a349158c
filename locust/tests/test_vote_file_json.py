"""JSON: arrays, single votes, sequences, wrappers, and what the messages say."""

import json
from pathlib import Path

import pytest
from vote_files import GOOD, VALUES, fields, read_error, write

from dualpath_locust.votes import read_votes

LINE = json.dumps(GOOD, ensure_ascii=False)
PRETTY = json.dumps(GOOD, indent=2)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps([GOOD, GOOD], indent="\t"), id="pretty array"),
        pytest.param(PRETTY + "\n" + PRETTY, id="pretty objects, one after another"),
        pytest.param(LINE + LINE, id="objects without a separator"),
        pytest.param(LINE + "\r" + LINE, id="lines that end with CR"),
        pytest.param("\ufeff" + LINE + "\n\ufeff" + LINE, id="concatenated files with a byte order mark"),
        pytest.param(json.dumps({"votes": [GOOD, GOOD]}), id="wrapper"),
        pytest.param(
            json.dumps({"name": "export", "count": 2, "data": [GOOD, GOOD]}, indent=1), id="wrapper with more"
        ),
        pytest.param("\n".join([json.dumps({"votes": [GOOD]})] * 2), id="wrapper on each line"),
        pytest.param(json.dumps([dict(reversed(GOOD.items()))] * 2), id="other order"),
    ],
)
def test_shape_of_the_document_does_not_matter(tmp_path: Path, text: str) -> None:
    assert fields(write(tmp_path, text)) == [VALUES] * 2


def test_one_object_is_one_vote(tmp_path: Path) -> None:
    assert fields(write(tmp_path, PRETTY)) == [VALUES]


@pytest.mark.parametrize(
    "keys",
    [
        ("artist", "album", "year", "ranked"),
        ("artist", "album", "year_release", "rank"),
        ("Banda", "Álbum", "Año", "Puesto"),
        ("bandName", "albumName", "releaseYear", "rating"),
    ],
)
def test_other_names_become_the_names_of_the_api(tmp_path: Path, keys: tuple[str, ...]) -> None:
    record = dict(zip(keys, (*VALUES[:2], 1996, 8.5), strict=True))
    (vote,) = read_votes(write(tmp_path, json.dumps([record])))
    assert json.loads(vote.body) == GOOD | {"year": 1996, "rank": 8.5}
    assert tuple(getattr(vote.message, field) for field in GOOD) == VALUES


def test_votes_may_have_different_names(tmp_path: Path) -> None:
    other = {"artist": "Extinción", "album": "Orange Buddha", "year": 1996, "ranked": 8.5}
    assert fields(write(tmp_path, json.dumps([GOOD, other]))) == [VALUES] * 2


def test_ignored_fields_may_have_any_value(tmp_path: Path) -> None:
    text = LINE[:-1] + ', "x": NaN, "x": "\\ud800", "y": [1e999, {"z": null}]}'
    (vote,) = read_votes(write(tmp_path, text))
    assert json.loads(vote.body) == GOOD


def test_pair_of_surrogates_is_one_character(tmp_path: Path) -> None:
    (vote,) = read_votes(write(tmp_path, json.dumps([GOOD | {"name": "🎸"}])))
    assert vote.message.name == "🎸"
    assert json.loads(vote.body)["name"] == "🎸"


def array(**change: object) -> str:
    """An array of two votes; the second one, on line 2, has `change`."""
    return f"[{LINE},\n{json.dumps(GOOD | change)}]"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param(array(name="\ud800"), (":2: name:", r"'\ud800'", "surrogate"), id="lone high surrogate"),
        pytest.param(array(album="a\udc00b"), (":2: album:", r"'a\udc00b'", "surrogate"), id="lone low surrogate"),
        pytest.param(array(rank=float("nan")), (":2: rank:", "NaN", "number"), id="NaN"),
        pytest.param(array(rank=float("inf")), (":2: rank:", "Infinity"), id="Infinity"),
        pytest.param(array(year=float("-inf")), (":2: year:", "-Infinity"), id="-Infinity"),
        pytest.param(array(rank=1).replace('"rank": 1', '"rank": 1e999'), (":2: rank:", "Infinity"), id="overflow"),
        pytest.param(LINE + '\n{"rank": NaN}', (":2: name, album, year: missing",), id="NaN in a short vote"),
        pytest.param(array(year=1).replace('"year": 1', '"year": ' + "1" * 5000), (":2:", "digits"), id="huge integer"),
        pytest.param(array(x=1).replace('"x": 1', '"x": ' + "[" * 200_000), (":2:", "nested"), id="deep nesting"),
        pytest.param(array(rank=1)[:-2] + ', "rank": 2}]', (":2: rank:", "twice"), id="field given twice"),
        pytest.param(array(artist="x"), (":2: name:", "'name' and 'artist'"), id="two bands"),
        pytest.param(
            LINE + "\n" + json.dumps({"name": "x", "album": "y", "year": 1, "\ud800": 1}),
            (":2: rank: missing", r"'\ud800'"),
            id="odd key",
        ),
        pytest.param(array(year={"$numberInt": "1996"}), (":2: year: neither",), id="extended JSON"),
        pytest.param(array(rank=""), (":2: rank: missing",), id="empty text"),
        pytest.param(f"[{LINE},\n]", (":2: malformed JSON", "remove the comma"), id="comma at the end"),
        pytest.param(f"{LINE},\n{LINE}", (":1: malformed JSON", "[", "]"), id="array without brackets"),
        pytest.param("{'name': 'x'}", (":1: malformed JSON", "double quotes"), id="single quotes"),
        pytest.param(f"[{LINE}\n", (":2: malformed JSON",), id="cut array"),
        pytest.param(LINE + "\n" + LINE[:-9], (":2: malformed JSON",), id="cut line"),
        pytest.param('["name", "album"]', (":1: a vote must be an object",), id="array of text"),
        pytest.param(json.dumps({"votes": []}), (": no votes",), id="empty wrapper"),
        pytest.param(json.dumps({"a": [GOOD], "b": [GOOD]}), (":1:", "'a' and 'b'"), id="two lists"),
        pytest.param(
            json.dumps({"meta": 1, "votes": [GOOD, {"name": "x"}]}, indent=1),
            (":10: album, year",),
            id="line in a wrapper",
        ),
        pytest.param('{"data": {"votes": []}}', (":1: name, album, year, rank: missing", "'data'"), id="deep wrapper"),
    ],
)
def test_message_has_line_and_what_to_change(tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    message = read_error(write(tmp_path, text))
    for part in parts:
        assert part in message
    assert len(message) < 500
