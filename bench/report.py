"""Summarises measurements as a table and decides whether the benchmark passed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from common import markdown_table

RSS_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Measurement:
    """One subject on one protocol in one round.

    Attributes:
        case: the protocol.
        subject: `ours`, `naive`, or `floor` (ours without Kafka).
        round: the round, counted from 1.
        votes: the number of votes sent and acknowledged.
        votes_per_second: the rate.
        cpu_seconds_per_million: CPU seconds of the service per million votes.
        peak_rss_bytes: the peak resident set size of the service since its start.
    """

    case: str
    subject: str
    round: int
    votes: int
    votes_per_second: float
    cpu_seconds_per_million: float
    peak_rss_bytes: int


@dataclass(frozen=True)
class Summary:
    """All rounds of one protocol: medians by subject, and the ratio of ours to naive.

    Attributes:
        case: the protocol.
        votes_per_second: median rate by subject.
        cpu_seconds_per_million: median by subject.
        peak_rss_bytes: maximum by subject.
        ratio: median rate of ours divided by the median rate of naive.
        paired_ratios: the ratio within each round; slow drift of the machine does not affect it.
    """

    case: str
    votes_per_second: dict[str, float]
    cpu_seconds_per_million: dict[str, float]
    peak_rss_bytes: dict[str, int]
    ratio: float
    paired_ratios: list[float]

    def failures(self) -> list[str]:
        """Returns the violated limits, as messages. There is no tolerance."""
        found = []
        if self.ratio < 1:
            found.append(f"{self.case}: throughput is {self.ratio:.3f} of the naive service's, must be at least 1")
        peak = self.peak_rss_bytes["ours"]
        if peak > RSS_LIMIT_BYTES:
            found.append(f"{self.case}: {peak / 2**20:.1f} MiB of memory, the limit is {RSS_LIMIT_BYTES / 2**20:.0f}")
        return found


def summarise(measurements: Sequence[Measurement]) -> list[Summary]:
    """Returns one summary per protocol, in the order of the first measurements."""
    return [
        _summary(case, [measured for measured in measurements if measured.case == case])
        for case in dict.fromkeys(measured.case for measured in measurements)
    ]


def _summary(case: str, measurements: list[Measurement]) -> Summary:
    by_subject = {
        subject: [measured for measured in measurements if measured.subject == subject]
        for subject in dict.fromkeys(measured.subject for measured in measurements)
    }
    rates = {
        subject: {measured.round: measured.votes_per_second for measured in measured_list}
        for subject, measured_list in by_subject.items()
    }
    medians = {subject: median(by_round.values()) for subject, by_round in rates.items()}
    return Summary(
        case=case,
        votes_per_second=medians,
        cpu_seconds_per_million={
            subject: median(measured.cpu_seconds_per_million for measured in measured_list)
            for subject, measured_list in by_subject.items()
        },
        peak_rss_bytes={
            subject: max(measured.peak_rss_bytes for measured in measured_list)
            for subject, measured_list in by_subject.items()
        },
        ratio=medians["ours"] / medians["naive"],
        paired_ratios=[rates["ours"][number] / rates["naive"][number] for number in sorted(rates["ours"])],
    )


COLUMNS = (
    *("", "votes/s ours", "naive", "ratio", "by round", "floor"),
    *("CPU s per million ours", "naive", "floor", "peak MiB ours", "naive"),
)


def markdown(summaries: Sequence[Summary]) -> str:
    """Returns the table in Markdown, aligned for a terminal."""
    return markdown_table([COLUMNS, *(_row(summary) for summary in summaries)])


def _row(summary: Summary) -> tuple[str, ...]:
    rate, cpu, peak = summary.votes_per_second, summary.cpu_seconds_per_million, summary.peak_rss_bytes
    pairs = summary.paired_ratios
    return (
        summary.case,
        f"{rate['ours']:,.0f}",
        f"{rate['naive']:,.0f}",
        f"{summary.ratio:.2f}",
        f"{min(pairs):.2f}-{max(pairs):.2f}",
        f"{rate['floor']:,.0f}",
        *(f"{cpu[subject]:.1f}" for subject in ("ours", "naive", "floor")),
        *(f"{peak[subject] / 2**20:.1f}" for subject in ("ours", "naive")),
    )


def document(run: str, settings: dict[str, object], measurements: Sequence[Measurement]) -> dict[str, object]:
    """Returns the content of bench.json: settings, every measurement, the summaries, and whether the run passed."""
    summaries = summarise(measurements)
    failures = [failure for summary in summaries for failure in summary.failures()]
    return {
        "run": run,
        "passed": not failures,
        "failures": failures,
        "settings": settings,
        "summaries": [asdict(summary) for summary in summaries],
        "measurements": [asdict(measured) for measured in measurements],
    }
