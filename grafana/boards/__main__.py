"""Writes the JSON files of the dashboards: run `python -m boards` in `grafana/` after a change of this package."""

from pathlib import Path

from . import boards, to_json_text

DASHBOARDS = Path(__file__).parent.parent / "dashboards"


def main() -> None:
    """Writes every dashboard, and deletes the files of removed dashboards."""
    DASHBOARDS.mkdir(exist_ok=True)
    files = {f"{board.uid}.json": to_json_text(board) for board in boards()}
    for path in DASHBOARDS.glob("*.json"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (DASHBOARDS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
