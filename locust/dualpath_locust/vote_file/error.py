"""The error of an invalid vote file."""

from pathlib import Path


class VoteFileError(ValueError):
    """The vote file is invalid. The message has the file and, if known, the line and the field."""

    def __init__(self, path: Path, message: str, line: int | None = None) -> None:
        location = str(path) if line is None else f"{path}:{line}"
        # The path can contain bytes that are not UTF-8. Escape them, so that every log can write the message.
        super().__init__(f"{location}: {message}".encode("utf-8", "backslashreplace").decode())
