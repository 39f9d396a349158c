"""The report of the benchmark of the consumer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from common import markdown_table
from counting_delay import Delays, quantile
from drain import Drain
from targets import Target, at_least, at_most


@dataclass(frozen=True)
class Bare:
    """Bare inserts of all documents: documents per second, and CPU seconds of the MongoDB server per million."""

    documents_per_second: float
    mongodb_cpu_seconds_per_million: float


@dataclass(frozen=True)
class Round:
    """One round: the consumer, and the bare inserts.

    Attributes:
        drain: the consumer.
        bare: inserts of batches as large as those of the consumer.
        bare_500: inserts of 500 documents.
    """

    drain: Drain
    bare: Bare
    bare_500: Bare

    @property
    def ratio(self) -> float:
        """The rate of the consumer divided by that of the bare inserts of batches as large."""
        return self.drain.votes_per_second / self.bare.documents_per_second

    @property
    def ratio_500(self) -> float:
        """The rate of the consumer divided by that of the bare inserts of 500 documents."""
        return self.drain.votes_per_second / self.bare_500.documents_per_second


MIB = 1024 * 1024
COLUMNS = (
    *("round", "consumer votes/s", "first tenth", "last tenth", "bare documents/s", "ratio", "bare by 500", "ratio"),
    *("CPU s per million consumer", "MongoDB, consumer", "MongoDB, bare", "peak MiB consumer"),
)


def table(rounds: Sequence[Round]) -> str:
    """Returns the rounds and their medians as a table in Markdown."""
    rows = [(str(number), *_cells(lambda figure, one=one: figure(one))) for number, one in enumerate(rounds, start=1)]
    return markdown_table([COLUMNS, *rows, ("median", *_cells(lambda figure: median(map(figure, rounds))))])


def _cells(value: Callable[[Callable[[Round], float]], float]) -> list[str]:
    """Returns the cells of a row; `value` computes the value of a figure."""
    return [
        f"{value(lambda one: one.drain.votes_per_second):,.0f}",
        f"{value(lambda one: one.drain.tenths[0]):,.0f}",
        f"{value(lambda one: one.drain.tenths[-1]):,.0f}",
        f"{value(lambda one: one.bare.documents_per_second):,.0f}",
        f"{value(lambda one: one.ratio):.2f}",
        f"{value(lambda one: one.bare_500.documents_per_second):,.0f}",
        f"{value(lambda one: one.ratio_500):.2f}",
        f"{value(lambda one: one.drain.cpu_seconds_per_million):.1f}",
        f"{value(lambda one: one.drain.mongodb_cpu_seconds_per_million):.1f}",
        f"{value(lambda one: one.bare.mongodb_cpu_seconds_per_million):.1f}",
        f"{value(lambda one: one.drain.peak_rss_bytes / MIB):.1f}",
    ]


def delay_lines(delays: Delays | None) -> str:
    """Returns lines with the quantiles of the delays; empty without delays."""
    if delays is None:
        return ""
    return (
        f"From the receipt of a vote until it is counted: {_quantiles(delays.since_receipt)} "
        f"({len(delays.since_receipt):,} votes). Since the vote was sent: {_quantiles(delays.since_sent)}.\n"
    )


def _quantiles(ascending: Sequence[float]) -> str:
    return ", ".join(f"p{share} {quantile(ascending, share / 100):.1f} ms" for share in (50, 95, 99))


def targets(rounds: Sequence[Round], delays: Delays | None) -> list[Target]:
    """Returns the targets: medians of the rounds, and the largest peak of memory."""
    found = [
        at_least(
            "consumer / bare inserts of batches as large", median(one.ratio for one in rounds), 0.8, required=False
        ),
        at_least("consumer / bare inserts of 500", median(one.ratio_500 for one in rounds), 0.8, required=False),
        at_least("last tenth / first tenth", median(_last_to_first(one.drain) for one in rounds), 0.9, required=False),
        at_most("peak MiB", max(one.drain.peak_rss_bytes for one in rounds) / MIB, 64, required=False),
    ]
    if delays is not None:
        p99 = quantile(delays.since_receipt, 0.99)
        found.append(at_most("receipt to count, p99 in ms", p99, 50, required=False))
    return found


def _last_to_first(drain: Drain) -> float:
    return drain.tenths[-1] / drain.tenths[0]
