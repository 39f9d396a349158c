"""CSV, as spreadsheets and scripts write it: any delimiter, blanks around cells, empty rows, a `sep=` line."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from dualpath_locust.vote_file.columns import FIELDS, ColumnError, field_of, match_columns
from dualpath_locust.vote_file.error import VoteFileError

DELIMITERS = (",", ";", "\t", "|")
# Excel writes and reads it. A spreadsheet that does not know it may quote it or add empty cells.
SEP_LINE = re.compile(r'\s*"?sep=([^\r\n"])"?[ \t,;|]*(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
# Only two digits can follow and the largest rank is 100, so the comma cannot separate thousands.
DECIMAL_COMMA = re.compile(r"\d{1,3},\d{1,2}")


def read_csv(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line and the fields of each vote. Rows without content and repeated headers are skipped.

    Raises:
        VoteFileError: the header or a row is invalid.
    """
    sep_line = SEP_LINE.match(text)
    start = sep_line.end() if sep_line else 0
    delimiter = sep_line[1] if sep_line else _delimiter(path, text)
    rows = _rows(path, text, start, delimiter)
    header_line, header = next(rows, (1, ()))
    positions = _match(path, header_line, header)

    for line, cells in rows:
        if cells == header:
            continue
        if any(cells[len(header) :]):
            hint = f"put quotes around a cell that contains {delimiter!r}"
            raise VoteFileError(path, f"more cells than the header has columns: {hint}", line)
        record = {field: cells[position] if position < len(cells) else "" for field, position in positions.items()}
        if DECIMAL_COMMA.fullmatch(record["rank"]):
            record["rank"] = record["rank"].replace(",", ".")
        yield line, record


def _delimiter(path: Path, text: str) -> str:
    """Returns the delimiter that gives a header with all columns. csv.Sniffer would guess from the frequency."""
    headers: dict[str, tuple[int, tuple[str, ...]]] = {}
    errors: list[VoteFileError] = []
    for delimiter in DELIMITERS:
        try:
            headers[delimiter] = next(_rows(path, text, 0, delimiter), (1, ()))
        except VoteFileError as error:
            errors.append(error)
    if not headers:
        raise errors[0]

    complete = []
    for delimiter, (_, header) in headers.items():
        try:
            match_columns(header)
        except ColumnError:
            continue
        complete.append(delimiter)
    if len(complete) > 1:
        found = " and ".join(map(repr, complete))
        message = f"the columns can be separated by {found}: choose one with a first line such as sep=,"
        raise VoteFileError(path, message, headers[complete[0]][0])
    if complete:
        return complete[0]

    def resemblance(delimiter: str) -> tuple[int, int]:
        _, header = headers[delimiter]
        return sum(field_of(column) is not None for column in header), len(header)

    return max(headers, key=resemblance)


def _match(path: Path, line: int, header: tuple[str, ...]) -> dict[str, int]:
    try:
        return match_columns(header)
    except ColumnError as error:
        no_header = not any(map(field_of, header))
        hint = f"; a vote file is JSON, or CSV with a header such as {','.join(FIELDS)}" if no_header else ""
        raise VoteFileError(path, f"{error}{hint}", line) from error


def _rows(path: Path, text: str, start: int, delimiter: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yields the first line and the cells of each row with content."""
    lines_before = len(text[:start].splitlines())
    lines = io.StringIO(text[start:], newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    line = lines_before + 1
    try:
        for cells in reader:
            stripped = tuple(cell.strip() for cell in cells)
            if any(stripped):
                yield line, stripped
            line = lines_before + reader.line_num + 1
    except csv.Error as error:
        message = f"malformed CSV: {error}; check that every quote is closed, just before the {delimiter!r}"
        raise VoteFileError(path, message, line) from error
