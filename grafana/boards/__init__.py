"""The source of the Grafana dashboards. `python -m boards` generates the JSON files from it."""

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from . import latency, pipeline, tallies


def boards() -> list[Dashboard]:
    """Returns all dashboards, in the order of their links."""
    return [latency.board(), tallies.board(), pipeline.board()]


def to_json_text(board: Dashboard) -> str:
    """Encodes a dashboard for its committed file. Sorted keys keep diffs minimal."""
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(board) + "\n"
