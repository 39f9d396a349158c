"""JSON: an array of votes, votes one after another (such as JSON lines), or an object with a list of votes."""

import json
from collections.abc import Iterator
from pathlib import Path

from dualpath_locust.vote_file.columns import FIELDS, ColumnError, field_of, match_columns, shown
from dualpath_locust.vote_file.error import VoteFileError

BLANKS = " \t\r\n"


def read_json(path: Path, text: str) -> Iterator[tuple[int, dict[str, object]]]:
    """Yields the line and the fields of each vote. Other fields are left out.

    Raises:
        VoteFileError: the document is malformed, or a vote has not each field once.
    """
    document = _Document(path, text)
    position = document.skip_blanks(0)
    if text[position] == "[":
        end = yield from document.votes_of_array(position)
        rest = document.skip_blanks(end)
        if rest < len(text):
            raise document.error(rest, "malformed JSON: text after the closing ']'")
        return

    while position < len(text):
        value, end = document.decode(position)
        key = document.list_key(position, value)
        if key is None:
            yield document.vote(position, value)
        else:
            yield from document.votes_of_array(document.member(position, key))
        position = document.skip_blanks(end)
        if text[position : position + 1] == ",":
            hint = "put '[' before the votes and ']' after them"
            raise document.error(position, f"malformed JSON: ',' after a vote: {hint}")


class _Document:
    """A JSON text and its path. `error` takes a position in the text and reports its line."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text
        self._counted_to, self._line = 0, 1

    def error(self, position: int, message: str) -> VoteFileError:
        return VoteFileError(self._path, message, self._text.count("\n", 0, position) + 1)

    def skip_blanks(self, position: int) -> int:
        while self._text[position : position + 1] in tuple(BLANKS):
            position += 1
        return position

    def decode(self, position: int) -> tuple[object, int]:
        """Decodes the value at `position`; returns it and its end."""
        try:
            return DECODER.raw_decode(self._text, position)
        except json.JSONDecodeError as error:
            raise self.error(error.pos, f"malformed JSON: {error.msg}") from error
        except RecursionError as error:
            raise self.error(position, "malformed JSON: nested too deeply") from error
        except ColumnError as error:
            raise self.error(position, str(error)) from error
        except ValueError as error:  # of int()
            raise self.error(position, "a number has too many digits: write it as text") from error

    def vote(self, position: int, record: object) -> tuple[int, dict[str, object]]:
        """Returns the line and the fields of a vote."""
        if not isinstance(record, dict):
            raise self.error(position, f"a vote must be an object, got {json.dumps(record)[:40]}")
        names = tuple(record)
        try:
            positions = match_columns(names)
        except ColumnError as error:
            raise self.error(position, str(error)) from error
        return self._line_at(position), {field: record[names[index]] for field, index in positions.items()}

    def votes_of_array(self, position: int) -> Iterator[tuple[int, dict[str, object]]]:
        """Yields the votes of the array at `position`; returns its end."""
        # Decode each element separately, because the decoder does not report the line of an element.
        position = self.skip_blanks(position + 1)
        if self._text[position : position + 1] == "]":
            return position + 1
        while True:
            value, end = self.decode(position)
            yield self.vote(position, value)
            position = self.skip_blanks(end)
            separator = self._text[position : position + 1]
            if separator == "]":
                return position + 1
            if separator != ",":
                raise self.error(position, "malformed JSON: expected ',' or ']' after a vote")
            position = self.skip_blanks(position + 1)
            if self._text[position : position + 1] == "]":
                raise self.error(position, "malformed JSON: remove the comma before ']'")

    def list_key(self, position: int, value: object) -> str | None:
        """Returns the key of the list of votes if `value` is not a vote but an object that has one."""
        if not isinstance(value, dict):
            return None
        named = {field_of(key) for key in value} - {None}
        if len(named) == len(FIELDS):
            return None
        keys = [key for key, member in value.items() if _is_list_of_votes(member, may_be_empty=not named)]
        if len(keys) > 1:
            found = " and ".join(map(shown, keys))
            raise self.error(position, f"more than one list: {found}: keep only that of the votes")
        return keys[0] if keys else None

    def member(self, position: int, wanted: str) -> int:
        """Returns the position of the value of `wanted` in the valid object at `position`."""
        while True:
            key, position = self.decode(self.skip_blanks(position + 1))
            value_position = self.skip_blanks(self.skip_blanks(position) + 1)
            if key == wanted:
                return value_position
            position = self.skip_blanks(self.decode(value_position)[1])

    def _line_at(self, position: int) -> int:
        # Count from the vote before: from the start of the text, the time would be quadratic.
        self._line += self._text.count("\n", self._counted_to, position)
        self._counted_to = position
        return self._line


def _is_list_of_votes(value: object, *, may_be_empty: bool) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value) and (may_be_empty or bool(value))


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        for name in names:
            if field_of(name) and names.count(name) > 1:
                raise ColumnError(f"{field_of(name)}: given twice in one object: remove one of them")
    return record


DECODER = json.JSONDecoder(object_pairs_hook=_object)
