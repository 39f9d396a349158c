"""The boards as a program: what each shows is said here once, and Grafana's JSON is written from it."""

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from . import latency, pipeline, tallies


def boards() -> list[Dashboard]:
    """Every board, in the order of their links."""
    return [latency.board(), tallies.board(), pipeline.board()]


def to_json_text(board: Dashboard) -> str:
    """A board as it is committed: keys sorted, so that a diff shows what changed and nothing else."""
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(board) + "\n"
