"""Summarises measurements as tables and decides which targets are met."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from statistics import median

from common import markdown_table
from targets import Target, at_least, at_most, passed

OURS, NAIVE, FLOOR, COLLECTOR = "ours", "naive", "floor", "Collector"
BEFORE = "before"
"""Ours, from the programs of another version."""
KAFKA_ALONE = "Kafka alone"
"""The case of the producers without a service."""
BARE_LIBRDKAFKA, PERF_TEST, WARM_PERF_TEST = "librdkafka", "perf-test", "perf-test after warm-up"
MIB = 2**20

RSS_LIMIT_MIB = 64
NAIVE_TARGET = {"REST, HTTP/1.1": 1.3, "gRPC": 1.3}
COLLECTOR_TARGET = 2
CPU_TARGET = 1.25
PERF_TEST_TARGET = 1.2


@dataclass(frozen=True)
class Measurement:
    """One subject on one protocol in one round.

    Attributes:
        case: the protocol, or `KAFKA_ALONE`.
        subject: `ours`, `before`, `naive`, `floor` (ours without Kafka), `Collector`; or a producer, `librdkafka` or
            `perf-test`.
        round: the round, counted from 1.
        votes: the number of votes sent and acknowledged.
        votes_per_second: the rate.
        cpu_seconds_per_million: CPU seconds of the service per million votes; 0 for `perf-test`.
        peak_rss_bytes: the peak resident set size of the service since its start; 0 for `perf-test`.
    """

    case: str
    subject: str
    round: int
    votes: int
    votes_per_second: float
    cpu_seconds_per_million: float
    peak_rss_bytes: int


class Results:
    """The measurements of a run, by case and subject."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self._by_key: dict[tuple[str, str], list[Measurement]] = {}
        for measured in measurements:
            self._by_key.setdefault((measured.case, measured.subject), []).append(measured)

    def cases(self, with_subject: str | None = None, without_subject: str | None = None) -> list[str]:
        """Returns the cases of ours, in the order of the first measurements, with or without another subject."""
        found = [case for case, subject in self._by_key if subject == OURS]
        return [
            case
            for case in found
            if (with_subject is None or self.has(case, with_subject))
            and (without_subject is None or not self.has(case, without_subject))
        ]

    def has(self, case: str, subject: str) -> bool:
        """Whether there is a measurement."""
        return (case, subject) in self._by_key

    def rate(self, case: str, subject: str) -> float:
        """Returns the median of votes per second."""
        return median(measured.votes_per_second for measured in self._by_key[case, subject])

    def cpu(self, case: str, subject: str) -> float:
        """Returns the median of CPU seconds per million votes."""
        return median(measured.cpu_seconds_per_million for measured in self._by_key[case, subject])

    def peak_mib(self, case: str, subject: str) -> float:
        """Returns the largest peak of memory in MiB."""
        return max(measured.peak_rss_bytes for measured in self._by_key[case, subject]) / MIB

    def ratio(self, case: str, subject: str, case_of_subject: str | None = None) -> float:
        """Returns the median rate of ours divided by that of a subject, of the same case by default."""
        return self.rate(case, OURS) / self.rate(case_of_subject or case, subject)

    def paired_ratios(self, case: str, subject: str, case_of_subject: str | None = None) -> list[float]:
        """Returns the ratio of the rates within each round: slow drift of the machine does not affect it."""
        return self._paired(attrgetter("votes_per_second"), case, subject, case_of_subject or case)

    def paired_cpu_ratios(self, case: str, subject: str) -> list[float]:
        """Returns the ratio of the CPU time of a vote within each round."""
        return self._paired(attrgetter("cpu_seconds_per_million"), case, subject, case)

    def _paired(
        self, value: Callable[[Measurement], float], case: str, subject: str, case_of_subject: str
    ) -> list[float]:
        others = {one.round: value(one) for one in self._by_key[case_of_subject, subject]}
        return [value(one) / others[one.round] for one in self._by_key[case, OURS]]

    def cpu_ratio(self, case: str) -> float:
        """Returns the CPU time of ours divided by that of its parts: the floor, and librdkafka alone."""
        parts = self.cpu(case, FLOOR) + self.cpu(KAFKA_ALONE, BARE_LIBRDKAFKA)
        return self.cpu(case, OURS) / parts


def targets(results: Results) -> list[Target]:
    """Returns the targets. Only those that are required decide whether the run passed. There is no tolerance."""
    found = []
    for case in results.cases(with_subject=NAIVE):
        ratio = results.ratio(case, NAIVE)
        found.append(at_least(f"{case}: rate, ours / naive", ratio, 1, required=True))
        found.append(at_most(f"{case}: peak MiB", results.peak_mib(case, OURS), RSS_LIMIT_MIB, required=True))
        if case in NAIVE_TARGET:
            found.append(at_least(f"{case}: rate, ours / naive", ratio, NAIVE_TARGET[case], required=False))
        name = f"{case}: CPU, ours / (floor + librdkafka)"
        found.append(at_most(name, results.cpu_ratio(case), CPU_TARGET, required=False))
    for case in results.cases(with_subject=COLLECTOR):
        ratio = results.ratio(case, COLLECTOR)
        found.append(at_least(f"{case}: rate, ours / Collector", ratio, COLLECTOR_TARGET, required=False))
    for case in results.cases(without_subject=NAIVE):
        ratio = results.ratio(case, PERF_TEST, KAFKA_ALONE)
        found.append(at_least(f"{case}: rate, ours / perf-test", ratio, PERF_TEST_TARGET, required=False))
    return found


def rate_table(results: Results) -> str:
    """Returns the rates of single votes in Markdown."""
    rows = [("", "votes/s ours", "naive", "ratio", "by round", "Collector", "ratio", "by round", "floor")]
    for case in results.cases(with_subject=NAIVE):
        collector = ("-", "-", "-")
        if results.has(case, COLLECTOR):
            collector = _compared(results, case, COLLECTOR)
        rates = (f"{results.rate(case, subject):,.0f}" for subject in (OURS, FLOOR))
        ours, floor = rates
        rows.append((case, ours, *_compared(results, case, NAIVE), *collector, floor))
    return markdown_table(rows)


def cost_table(results: Results) -> str:
    """Returns CPU time and memory of single votes in Markdown."""
    subjects = (OURS, NAIVE, COLLECTOR, FLOOR)
    librdkafka = results.cpu(KAFKA_ALONE, BARE_LIBRDKAFKA)
    rows = [
        (
            *("", "CPU s per million ours", "naive", "Collector", "floor", "librdkafka", "ours / (floor + librdkafka)"),
            *("peak MiB ours", "naive", "Collector"),
        )
    ]
    for case in results.cases(with_subject=NAIVE):
        cpu = [f"{results.cpu(case, subject):.1f}" if results.has(case, subject) else "-" for subject in subjects]
        peaks = [f"{results.peak_mib(case, one):.1f}" if results.has(case, one) else "-" for one in subjects[:3]]
        rows.append((case, *cpu, f"{librdkafka:.1f}", f"{results.cpu_ratio(case):.2f}", *peaks))
    return markdown_table(rows)


def bulk_table(results: Results) -> str:
    """Returns batches and streams in Markdown."""
    perf_tests = (PERF_TEST, WARM_PERF_TEST)
    compared_heads = [head for name in perf_tests for head in (name, "ratio", "by round")]
    rows = [("", "votes/s ours", *compared_heads, "CPU s per million ours", "peak MiB ours")]
    for case in results.cases(without_subject=NAIVE):
        ours = f"{results.rate(case, OURS):,.0f}"
        cost = (f"{results.cpu(case, OURS):.1f}", f"{results.peak_mib(case, OURS):.1f}")
        compared = [cell for name in perf_tests for cell in _compared(results, case, name, KAFKA_ALONE)]
        rows.append((case, ours, *compared, *cost))
    return markdown_table(rows)


def before_table(results: Results) -> str:
    """Returns all cases beside another version, in Markdown. The ratio is the median of the ratios by round."""
    head = ("", "votes/s now", "before", "ratio", "by round", "CPU s per million now", "before", "ratio", "by round")
    rows = [head]
    for case in results.cases(with_subject=BEFORE):
        rates = [f"{results.rate(case, subject):,.0f}" for subject in (OURS, BEFORE)]
        costs = [f"{results.cpu(case, subject):.2f}" for subject in (OURS, BEFORE)]
        rate_ratios, cost_ratios = results.paired_ratios(case, BEFORE), results.paired_cpu_ratios(case, BEFORE)
        rows.append((case, *rates, *_median_and_range(rate_ratios), *costs, *_median_and_range(cost_ratios)))
    return markdown_table(rows)


def _median_and_range(ratios: Sequence[float]) -> tuple[str, str]:
    return f"{median(ratios):.2f}", _range(ratios)


def _range(ratios: Sequence[float]) -> str:
    return f"{min(ratios):.2f}-{max(ratios):.2f}"


def _compared(results: Results, case: str, subject: str, case_of_subject: str | None = None) -> tuple[str, str, str]:
    """Returns the cells of another subject: its rate, the ratio of ours to it, and the range of the rounds."""
    pairs = results.paired_ratios(case, subject, case_of_subject)
    rate = results.rate(case_of_subject or case, subject)
    ratio = results.ratio(case, subject, case_of_subject)
    return f"{rate:,.0f}", f"{ratio:.2f}", _range(pairs)


def document(run: str, settings: dict[str, object], measurements: Sequence[Measurement]) -> dict[str, object]:
    """Returns the content of bench.json: settings, every measurement, the targets, and whether the run passed."""
    reached = targets(Results(measurements))
    return {
        "run": run,
        "passed": passed(reached),
        "settings": settings,
        "targets": [{**asdict(target), "is_met": target.is_met} for target in reached],
        "measurements": [asdict(measured) for measured in measurements],
    }
