"""Bytes to text: the size limit, the encoding, and files that are not text."""

import codecs
from pathlib import Path

from dualpath_locust.vote_file.error import VoteFileError

MAX_BYTES = 64 * 1024 * 1024
"""The size limit. A run holds all votes in memory: this size is about 700,000 votes."""

# UTF-32 first, because its little-endian mark starts with that of UTF-16.
ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
OTHER_TYPES = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive: save the sheet as 'CSV UTF-8', or unpack the archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save the sheet as 'CSV UTF-8'",
    b"\x1f\x8b": "compressed with gzip: decompress it with gunzip",
}
SAVE_AS_UTF8 = "save the file as UTF-8"


def read_text(path: Path) -> str:
    """Reads a text file. A byte order mark gives the encoding; without one, it is UTF-8.

    Raises:
        VoteFileError: the file is not readable, too large, or not text.
    """
    data = _read(path)
    for magic, found in OTHER_TYPES.items():
        if data.startswith(magic):
            raise VoteFileError(path, f"the file is {found}")
    encoding = next((name for mark, name in ENCODINGS.items() if data.startswith(mark)), None)
    text = _decode(path, data, encoding) if encoding else _decode_utf8(path, data)
    # Where files with a byte order mark were concatenated, a line can start with one.
    return text.replace("\n\ufeff", "\n")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise VoteFileError(path, error.strerror or str(error)) from error
    if len(data) > MAX_BYTES:
        limit = MAX_BYTES // 1024**2
        raise VoteFileError(path, f"larger than {limit} MiB: take a part of it, for example the first lines with head")
    return data


def _decode(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, "ignore").count("\n") + 1
        message = f"not {encoding} as the byte order mark says ({error.reason}): {SAVE_AS_UTF8}"
        raise VoteFileError(path, message, line) from error


def _decode_utf8(path: Path, data: bytes) -> str:
    nul = data.find(b"\0")
    if nul >= 0:
        if nul < 2 and data[nul::2].count(b"\0") > len(data) // 4:
            raise VoteFileError(path, f"the file looks like UTF-16 without a byte order mark: {SAVE_AS_UTF8}")
        message = f"NUL byte: the file is not text; {SAVE_AS_UTF8}"
        raise VoteFileError(path, message, data.count(b"\n", 0, nul) + 1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from error


def _not_utf8(path: Path, error: UnicodeDecodeError) -> VoteFileError:
    # Not the bytes passed to decode(): with utf-8-sig, the positions of the error are those after the mark.
    data, start = error.object, error.start
    near = data[data.rfind(b"\n", 0, start) + 1 : start][-20:] + data[start : start + 20].splitlines()[0]
    message = (
        f"not UTF-8: byte 0x{data[start]:02X} ({error.reason}); as Windows-1252, the text would be "
        f"{near.decode('cp1252', 'replace')!r}; save the file as UTF-8 (Excel: 'CSV UTF-8'), or convert it: "
        "iconv -f WINDOWS-1252 -t UTF-8"
    )
    return VoteFileError(path, message, data.count(b"\n", 0, start) + 1)
