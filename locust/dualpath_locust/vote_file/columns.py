"""The names of columns and JSON fields, and which field of a vote each one means."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

FIELDS = ("name", "album", "year", "rank")

# Compared without case, accents, blanks, `_`, `-` and `.`. Only names with one meaning: a `title` can be the title of a
# song, a `date` can be the date of the vote.
NAMES = {
    "name": "name band bandname nameofband artist artistname group groupname nombre banda nombrebanda nombredebanda "
    "nombredelabanda artista nombreartista nombredelartista grupo nombredelgrupo",
    "album": "album albumname albumtitle nombrealbum nombredelalbum titulodelalbum disco nombredeldisco",
    "year": "year yearrelease yearreleased yearofrelease releaseyear albumyear ano anio anyo anolanzamiento "
    "anodelanzamiento aniolanzamiento aniodelanzamiento",
    "rank": "rank ranked ranking rating score puesto calificacion puntuacion puntaje nota valoracion",
}
FIELD_OF_NAME = {name: field for field, names in NAMES.items() for name in names.split()}
SEPARATORS = re.compile(r"[\s_.-]+")

MAX_SHOWN = 12


class ColumnError(ValueError):
    """A field has no column, or more than one. The message has no location."""


@lru_cache(maxsize=1024)
def field_of(column: str) -> str | None:
    """Returns the field of a vote that a column or JSON field means; None if it is not part of a vote."""
    decomposed = unicodedata.normalize("NFKD", SEPARATORS.sub("", column))
    without_accents = "".join(character for character in decomposed if not unicodedata.combining(character))
    return FIELD_OF_NAME.get(without_accents.casefold())


@lru_cache(maxsize=64)
def match_columns(columns: tuple[str, ...]) -> dict[str, int]:
    """Returns the position of each field in `columns`.

    Raises:
        ColumnError: a field has no column, or more than one.
    """
    positions: dict[str, int] = {}
    for position, column in enumerate(columns):
        field = field_of(column)
        if field is None:
            continue
        if field in positions:
            both = f"{shown(columns[positions[field]])} and {shown(column)}"
            raise ColumnError(f"{field}: found twice, as {both}: remove or rename one of them")
        positions[field] = position

    missing = [field for field in FIELDS if field not in positions]
    if missing:
        raise ColumnError(f"{', '.join(missing)}: missing; found: {_list(columns)}; needed: {', '.join(FIELDS)}")
    return positions


def shown(text: str) -> str:
    """Quotes text for a message: short, and with escapes for characters that cannot be seen or encoded."""
    return repr(text) if len(text) <= 40 else repr(text[:40]) + "..."


def _list(columns: Sequence[str]) -> str:
    names = [shown(column) for column in columns if column]
    more = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
    return ", ".join(names[:MAX_SHOWN]) + more if names else "nothing"
