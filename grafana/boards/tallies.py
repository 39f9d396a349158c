"""What was voted for: from Redis everything that was ever counted, from Prometheus what its consumers have counted."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from . import variables
from .board import Row, assemble
from .panels import COUNT, HALF, QUARTER, VOTES_PER_SECOND, bars, lines, number, pie
from .queries import Hash, Query, Value

# More bars than this nobody reads.
MOST = 20

SINCE_START = (
    "Counted since the consumers started, and lost with them. A consumer names the first 100 it meets and puts the "
    "others under (other): Prometheus must not grow with what clients write. Redis has them all."
)


def board() -> Dashboard:
    """The board."""
    return assemble(
        "dualpath-tallies",
        "dualpath: tallies",
        "Votes by band, album and route. The first row needs Grafana's Redis plugin; the others come from Prometheus "
        "and stay without it.",
        [variables.datasource(), variables.redis(), variables.window()],
        [_redis(), _prometheus(), _over_time()],
    )


def _redis() -> Row:
    return (
        "From Redis: every vote that was ever counted",
        [
            number(
                "Votes in Redis",
                "The key {votes}:total.",
                COUNT,
                Value("{votes}:total"),
                span=QUARTER,
            ),
            pie("Routes in Redis", "The hash {votes}:route.", COUNT, Hash("{votes}:route"), span=18),
            bars(
                f"Bands in Redis, the first {MOST}",
                "The hash {votes}:band.",
                COUNT,
                Hash("{votes}:band", MOST),
                rows=True,
            ),
            bars(
                f"Albums in Redis, the first {MOST}",
                "The hash {votes}:album, each named `band - album`.",
                COUNT,
                Hash("{votes}:album", MOST),
                rows=True,
            ),
        ],
    )


def _prometheus() -> Row:
    return (
        "From Prometheus: what the running consumers have counted",
        [
            number(
                "Votes counted",
                "Votes that the running consumers have applied to both stores.",
                COUNT,
                Query('sum(consumer_votes_total{result="applied"})', "applied"),
                span=QUARTER,
            ),
            pie(
                "Routes counted",
                "Applied votes of the running consumers by route.",
                COUNT,
                Query('sum by (route) (consumer_votes_total{result="applied"}) > 0', "{{route}}", now=True),
                span=18,
            ),
            bars(
                f"Bands counted, the first {MOST}",
                SINCE_START,
                COUNT,
                Query(f"sort_desc(topk({MOST}, sum by (band) (consumer_band_votes_total) > 0))", "{{band}}", now=True),
            ),
            bars(
                f"Albums counted, the first {MOST}",
                SINCE_START,
                COUNT,
                Query(
                    f"sort_desc(topk({MOST}, sum by (album) (consumer_album_votes_total) > 0))", "{{album}}", now=True
                ),
            ),
        ],
    )


def _over_time() -> Row:
    return (
        "Over time",
        [
            lines(
                "Counted votes a second, by route",
                "Votes that the consumers have applied.",
                VOTES_PER_SECOND,
                Query('sum by (route) (rate(consumer_votes_total{result="applied"}[$window])) > 0', "{{route}}"),
                span=HALF,
            ),
            lines(
                "Counted votes a second, the first ten bands",
                SINCE_START,
                VOTES_PER_SECOND,
                Query("topk(10, sum by (band) (rate(consumer_band_votes_total[$window])))", "{{band}}"),
                span=HALF,
            ),
        ],
    )
