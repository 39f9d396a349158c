"""The tallies dashboard: votes by band, album and route, from Redis (all votes) and from Prometheus (since start)."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from . import variables
from .board import Row, assemble
from .panels import COUNT, HALF, PIE_HEIGHT, QUARTER, VOTES_PER_SECOND, bars, lines, number, pie
from .queries import Query, RedisHash, RedisTop, RedisValue

# The number of bars in a chart, and a height at which all of them are visible.
TOP = 20
TOP_HEIGHT = 17
# Names of albums are longer than names of bands.
BANDS, ALBUMS = 8, 16

SINCE_START = (
    "Votes counted since the start of the consumers. A consumer has a label for the first 100 values and counts all "
    "others as (other), so that clients cannot create an unlimited number of series. Redis has all values."
)


def board() -> Dashboard:
    """Returns the dashboard."""
    return assemble(
        "dualpath-tallies",
        "dualpath: tallies",
        "Votes by band, album and route. The first row needs Grafana's Redis plugin; the other rows need only "
        "Prometheus.",
        [variables.datasource(), variables.redis(), variables.window()],
        [_redis(), _prometheus(), _over_time()],
    )


def _redis() -> Row:
    return (
        "From Redis: all counted votes",
        [
            number(
                "Votes in Redis",
                "The key {votes}:total.",
                COUNT,
                RedisValue("{votes}:total"),
                span=QUARTER,
                height=PIE_HEIGHT,
            ),
            pie("Routes in Redis", "The hash {votes}:route.", COUNT, RedisHash("{votes}:route"), span=18),
            bars(
                f"Bands in Redis, top {TOP}",
                "The sorted set {votes}:band:top, which has the bands with the most votes.",
                COUNT,
                RedisTop("{votes}:band:top", TOP),
                span=BANDS,
                height=TOP_HEIGHT,
                rows=True,
            ),
            bars(
                f"Albums in Redis, top {TOP}",
                "The sorted set {votes}:album:top, which has the albums with the most votes. A member is named "
                "`band - album`; a backslash precedes each ` - ` and each backslash within the name of the band.",
                COUNT,
                RedisTop("{votes}:album:top", TOP),
                span=ALBUMS,
                height=TOP_HEIGHT,
                rows=True,
            ),
        ],
    )


def _prometheus() -> Row:
    return (
        "From Prometheus: votes counted by the running consumers",
        [
            number(
                "Votes counted",
                "Votes that the running consumers have written to both stores.",
                COUNT,
                Query('sum(consumer_votes_total{result="applied"})', "applied"),
                span=QUARTER,
                height=PIE_HEIGHT,
            ),
            pie(
                "Routes counted",
                "Votes that the running consumers have written to both stores, by route.",
                COUNT,
                Query('sum by (route) (consumer_votes_total{result="applied"}) > 0', "{{route}}", instant=True),
                span=18,
            ),
            bars(
                f"Bands counted, top {TOP}",
                SINCE_START,
                COUNT,
                Query(
                    f"sort_desc(topk({TOP}, sum by (band) (consumer_band_votes_total) > 0))", "{{band}}", instant=True
                ),
                span=BANDS,
                height=TOP_HEIGHT,
            ),
            bars(
                f"Albums counted, top {TOP}",
                SINCE_START,
                COUNT,
                Query(
                    f"sort_desc(topk({TOP}, sum by (album) (consumer_album_votes_total) > 0))",
                    "{{album}}",
                    instant=True,
                ),
                span=ALBUMS,
                height=TOP_HEIGHT,
            ),
        ],
    )


def _over_time() -> Row:
    return (
        "Over time",
        [
            lines(
                "Counted votes per second, by route",
                "Votes that the consumers write to both stores.",
                VOTES_PER_SECOND,
                Query('sum by (route) (rate(consumer_votes_total{result="applied"}[$window])) > 0', "{{route}}"),
                span=HALF,
            ),
            lines(
                "Counted votes per second, top 10 bands",
                SINCE_START,
                VOTES_PER_SECOND,
                Query("topk(10, sum by (band) (rate(consumer_band_votes_total[$window])))", "{{band}}"),
                span=HALF,
            ),
        ],
    )
