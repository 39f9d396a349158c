"""Writes the boards' JSON: `python -m boards` in `grafana/`, after any change in here."""

from pathlib import Path

from . import boards, to_json_text

DASHBOARDS = Path(__file__).parent.parent / "dashboards"


def main() -> None:
    """Writes every board and removes files of boards that are no more."""
    DASHBOARDS.mkdir(exist_ok=True)
    wanted = {f"{board.uid}.json": to_json_text(board) for board in boards()}
    for path in DASHBOARDS.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (DASHBOARDS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
