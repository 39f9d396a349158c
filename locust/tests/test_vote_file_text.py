"""The bytes of a vote file: encodings, other file types, sizes and paths."""

import gzip
import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from vote_files import GOOD, HEADER, ROW, VALUES, fields, read_error, write

from dualpath_locust.vote_file import text as vote_text

CSV = HEADER + ROW
TABS = CSV.replace(",", "\t").replace("\n", "\r\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("text", [CSV, TABS, json.dumps([GOOD], ensure_ascii=False)])
def test_byte_order_mark_gives_the_encoding(tmp_path: Path, encoding: str, text: str) -> None:
    assert fields(write(tmp_path, text.encode(encoding))) == [VALUES]


@pytest.mark.parametrize(("mark", "encoding"), [(b"\xfe\xff", "utf-16-be"), (b"\0\0\xfe\xff", "utf-32-be")])
def test_byte_order_mark_gives_the_order(tmp_path: Path, mark: bytes, encoding: str) -> None:
    assert fields(write(tmp_path, mark + TABS.encode(encoding))) == [VALUES]


def zipped(text: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("xl/workbook.xml", text)
    return data.getvalue()


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        pytest.param(CSV.encode("latin-1"), (":2: not UTF-8", "0xF3", "Extinción", "CSV UTF-8", "iconv"), id="Latin-1"),
        pytest.param(CSV.replace("O", "“").encode("cp1252"), (":2: not UTF-8", "0xF3", "iconv"), id="Windows-1252"),
        pytest.param(CSV.encode("cp850"), (":2: not UTF-8", "0xA2"), id="DOS"),
        pytest.param(CSV.encode()[:29], (":2: not UTF-8", "0xC3", "end"), id="cut within a character"),
        pytest.param(TABS.encode("utf-16-le"), ("UTF-16 without a byte order mark", "UTF-8"), id="UTF-16LE, no mark"),
        pytest.param(TABS.encode("utf-16-be"), ("UTF-16 without a byte order mark", "UTF-8"), id="UTF-16BE, no mark"),
        pytest.param(TABS.encode("utf-16")[:-1], (":2: not UTF-16", "save"), id="UTF-16 cut within a character"),
        pytest.param(b"\xff\xfe" + b"a\0\n\0\x00\xd8a\0", (":2: not UTF-16",), id="UTF-16 with half a character"),
        pytest.param(CSV.encode() + b"\0\0\0\0", (":3: NUL",), id="NUL bytes"),
        pytest.param(HEADER.encode() + b"\xed\xa0\x80,a,1996,1\n", (":2: not UTF-8",), id="encoded surrogate"),
        pytest.param(zipped(CSV), ("Excel", "CSV UTF-8"), id="xlsx"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ("Excel", "CSV UTF-8"), id="xls"),
        pytest.param(gzip.compress(CSV.encode()), ("gzip", "gunzip"), id="gzip"),
        pytest.param(b"", (": no votes",), id="empty"),
        pytest.param(b"\xef\xbb\xbf", (": no votes",), id="byte order mark only"),
        pytest.param(b"\xff\xfe", (": no votes",), id="UTF-16 byte order mark only"),
        pytest.param(b"\r\n \t\n", (": no votes",), id="blanks only"),
    ],
)
def test_message_says_what_the_file_is_and_what_to_do(tmp_path: Path, content: bytes, parts: tuple[str, ...]) -> None:
    message = read_error(write(tmp_path, content))
    for part in parts:
        assert part in message


def test_message_of_a_directory_and_of_no_file(tmp_path: Path) -> None:
    assert ": Is a directory" in read_error(tmp_path)
    assert ": No such file" in read_error(tmp_path / "none.csv")
    assert ": No such file" in read_error(write(tmp_path, CSV).with_name("votes.json"))
    assert ": Not a directory" in read_error(tmp_path / "votes" / "votes.csv")


def test_message_of_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert ": Permission denied" in read_error(tmp_path / "votes.csv")


def test_file_over_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, CSV)
    size = len(CSV.encode())
    monkeypatch.setattr(vote_text, "MAX_BYTES", size)
    assert fields(path) == [VALUES]
    monkeypatch.setattr(vote_text, "MAX_BYTES", size - 1)
    message = read_error(path)
    assert "larger than" in message
    assert "head" in message


def test_endless_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vote_text, "MAX_BYTES", 1000)
    assert "larger than" in read_error(Path("/dev/zero"))


def test_name_of_the_file_may_be_any_bytes(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"votos-\xf3.csv")
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"votos-\\udcf3\.csv: no votes"):
        fields(path)
