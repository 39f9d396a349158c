"""CSV: delimiters, headers, blanks, and what the messages say."""

import re
import unicodedata
from pathlib import Path

import pytest
from vote_files import HEADER, ROW, VALUES, fields, read_error, write

from dualpath_locust.vote_file.columns import FIELDS, field_of

SEMICOLONS = "name;album;year;rank\nExtinción;Orange Buddha;1996;8.5\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_delimiter_is_the_one_that_gives_all_columns(tmp_path: Path, delimiter: str, newline: str, quote: str) -> None:
    rows = [("rank", "year", "album", "name"), ("8.5", "1996", "Orange Buddha", "Extinción")]
    text = "".join(delimiter.join(quote + cell + quote for cell in row) + newline for row in rows)
    assert fields(write(tmp_path, text)) == [VALUES]


@pytest.mark.parametrize(
    "header",
    [
        "Name,Album,Year,Rank",
        "NAME,ALBUM,YEAR,RANK",
        " name , album , year , rank ",
        '"name", "album", "year", "rank"',
        "banda,álbum,año,calificación",
        "Banda,Álbum,Año,Puesto",
        "Nombre de la banda,Álbum,Año de lanzamiento,Puntuación",
        unicodedata.normalize("NFD", "grupo,álbum,año,nota"),
        "artist,album,year_release,ranked",
        "artist,album,year,ranked",
        "Artist Name,Album Title,Release Year,Rating",
        "bandName,albumName,releaseYear,score",
        "artista,disco,anio,puntaje",
    ],
)
def test_column_names_are_recognised(tmp_path: Path, header: str) -> None:
    assert fields(write(tmp_path, f"{header}\n{ROW}")) == [VALUES]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("sep=,\n" + HEADER + ROW, id="sep line"),
        pytest.param("sep=;\r\n" + SEMICOLONS, id="sep line with semicolon"),
        pytest.param('"sep=;"\n' + SEMICOLONS, id="quoted sep line"),
        pytest.param("SEP=;;;;\n" + SEMICOLONS, id="sep line padded by a spreadsheet"),
        pytest.param("sep=\t\n" + SEMICOLONS.replace(";", "\t"), id="sep line with tab"),
        pytest.param("sep=^\n" + SEMICOLONS.replace(";", "^"), id="sep line with another character"),
        pytest.param("\ufeffsep=;\n" + SEMICOLONS, id="sep line after a byte order mark"),
        pytest.param("name, album, year, rank\nExtinción, Orange Buddha, 1996, 8.5\n", id="blanks after commas"),
        pytest.param(HEADER + '"Extinción", "Orange Buddha", "1996", "8.5"\n', id="blanks before quotes"),
        pytest.param(HEADER + "Extinción ,Orange Buddha\t, 1996 ,8.5 \n", id="blanks before commas"),
        pytest.param(HEADER + ROW + "\n\n  \n,,,\n , , , \n", id="empty rows at the end"),
        pytest.param("\n\n" + HEADER + "\n" + ROW, id="empty rows before the header and the votes"),
        pytest.param("name,album,year,rank,,\nExtinción,Orange Buddha,1996,8.5,,\n", id="empty columns"),
        pytest.param(HEADER + ROW.replace("\n", ",,,\n"), id="empty cells after the last column"),
        pytest.param(",name,album,year,rank\n0,Extinción,Orange Buddha,1996,8.5\n", id="column without a name"),
        pytest.param("name,album,year,rank,a,a\n" + ROW.replace("\n", ",1,2\n"), id="other columns repeat"),
        pytest.param(SEMICOLONS.replace("8.5", "8,5"), id="decimal comma"),
        pytest.param(HEADER + ROW.replace("8.5", '"8,5"'), id="quoted decimal comma"),
        pytest.param(HEADER + ROW[:-1], id="no newline at the end"),
    ],
)
def test_exports_of_spreadsheets_are_read(tmp_path: Path, text: str) -> None:
    assert [tuple(value.replace("8,5", "8.5") for value in vote) for vote in fields(write(tmp_path, text))] == [VALUES]


def test_decimal_comma_becomes_a_point(tmp_path: Path) -> None:
    text = SEMICOLONS + "A, B;1,5;1996;10,25\n"
    assert fields(write(tmp_path, text.replace("8.5", "8,5"))) == [VALUES, ("A, B", "1,5", "1996", "10.25")]


def test_concatenated_files_are_read(tmp_path: Path) -> None:
    assert fields(write(tmp_path, ("\ufeff" + HEADER + ROW) * 2)) == [VALUES] * 2


def test_quoted_cell_keeps_newline_and_delimiter(tmp_path: Path) -> None:
    text = HEADER + '"Extinción","Orange,\n""Buddha""",1996,8.5\n'
    assert fields(write(tmp_path, text)) == [("Extinción", 'Orange,\n"Buddha"', "1996", "8.5")]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param(
            "artista,título,fecha,votos\n",
            (":1: album, year, rank: missing", "'título', 'fecha'"),
            id="unknown columns",
        ),
        pytest.param("artista;título;año;nota\n", (":1: album: missing", "'título'"), id="unknown column, semicolons"),
        pytest.param("\n\nname,album,year\n", (":3: rank: missing", "'name', 'album', 'year'"), id="missing column"),
        pytest.param(ROW, (":1: name, album, year, rank: missing", "'1996'", "header"), id="no header"),
        pytest.param("name album year rank\n", ("missing", "'name album year rank'"), id="unknown delimiter"),
        pytest.param("sep=,\n" + SEMICOLONS, (":2: name, album", "'name;album;year;rank'"), id="wrong sep line"),
        pytest.param("sep=\n" + HEADER, (":1: name, album", "'sep='"), id="empty sep line"),
        pytest.param("name,artist,album,year,rank\n", (":1: name:", "'name' and 'artist'", "rename"), id="two bands"),
        pytest.param("name,album,year,rank,Rank\n", (":1: rank:", "'rank' and 'Rank'"), id="header repeats"),
        pytest.param("nombre;banda;álbum;año;nota\n", (":1: name:", "'nombre' and 'banda'"), id="two bands, Spanish"),
        pytest.param(
            "x,name,album,year,rank,x;name;album;year;rank\n", (":1:", "',' and ';'", "sep="), id="two delimiters"
        ),
        pytest.param(HEADER + ROW.replace("8.5", "8,5"), (":2: more cells", "quotes"), id="bare decimal comma"),
        pytest.param(HEADER + ROW + ROW.replace("Ext", '"Ext'), (":3: malformed CSV", "quote"), id="unclosed quote"),
        pytest.param(HEADER + '"a\nb","c",1996\n', (":2: rank: missing",), id="line of a record is its first"),
        pytest.param(HEADER + '"Extinción" ,a,1996,1\n', (":2: malformed CSV", "quote"), id="blank after a quote"),
        pytest.param(HEADER + "a" * 200_000 + ",b,1996,1\n", (":2: malformed CSV", "limit"), id="huge cell"),
        pytest.param("name\u200b,album,year,rank\n", (":1: name: missing", r"'name\u200b'"), id="invisible character"),
        pytest.param("<html><body>404</body></html>", ("missing", "JSON", "CSV"), id="HTML"),
    ],
)
def test_message_has_line_and_what_to_change(tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    message = read_error(write(tmp_path, text))
    for part in parts:
        assert part in message


def test_names_in_the_readme_are_recognised() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `(name|album|year|rank)` \| (.*) \|$", readme, re.MULTILINE)
    assert [field for field, _ in rows] == list(FIELDS)
    for field, names in rows:
        assert {field_of(name) for name in re.findall("`(.*?)`", names)} == {field}
    assert {field_of(name) for name in ("title", "date", "votes")} == {None}


def test_message_lists_a_bounded_number_of_columns(tmp_path: Path) -> None:
    message = read_error(write(tmp_path, ",".join(f"column {n} {'x' * 500}" for n in range(500))))
    assert "'column 0 x" in message
    assert len(message) < 1_500
