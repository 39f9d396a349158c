"""Producers that write records of the size of a vote to Kafka, with nothing in front of them."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import messages
from common import BenchError, run_command
from measure import count_records
from messages import Vote
from report import BARE_LIBRDKAFKA, KAFKA_ALONE, PERF_TEST, WARM_PERF_TEST, Measurement
from subjects import Settings
from usage import process_usage

WARM_UP = 10_000
PERF_TEST_WARM_UP = 200_000


def measure_librdkafka(settings: Settings, vote: Vote, in_flight: int, number: int, seconds: float) -> Measurement:
    """Measures `bare-produce`: librdkafka with `in_flight` records that wait for their acknowledgement.

    Args:
        settings: the settings of all subjects.
        vote: the vote that gives the size of a record.
        in_flight: the records in flight.
        number: the number of the round.
        seconds: the approximate length.

    Raises:
        BenchError: Kafka does not have exactly the acknowledged records.
    """
    command = [str(settings.programs / "bare-produce"), "--kafka-brokers", settings.brokers, "--topic", settings.topic]
    command += ["--value-bytes", str(messages.event_bytes(vote)), "--in-flight", str(in_flight)]
    command += ["--worker-threads", str(settings.worker_threads)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        _produce(process, WARM_UP // 5)
        records = max(1_000, round(WARM_UP / _produce(process, WARM_UP) * seconds))
        records_before, usage_before = count_records(settings), process_usage(process.pid)
        took = _produce(process, records)
        usage, written = process_usage(process.pid), count_records(settings) - records_before
        process.stdin.close()
    if written != records:
        raise BenchError(f"bare-produce: {records} records acknowledged, but {written} in Kafka")
    return Measurement(
        case=KAFKA_ALONE,
        subject=BARE_LIBRDKAFKA,
        round=number,
        votes=records,
        votes_per_second=records / took,
        cpu_seconds_per_million=(usage.cpu_seconds - usage_before.cpu_seconds) / records * 1e6,
        peak_rss_bytes=usage.peak_rss_bytes,
    )


def _produce(process: subprocess.Popen, records: int) -> float:
    """Lets `bare-produce` write records; returns the seconds."""
    process.stdin.write(f"{records}\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise BenchError("bare-produce failed: see its message above")
    return float(line)


@dataclass(frozen=True)
class PerfTest:
    """Kafka's own producer benchmark.

    Attributes:
        class_path: the class path of the broker.
        record_bytes: the size of a record.
    """

    class_path: str
    record_bytes: int

    def measure(self, settings: Settings, number: int, seconds: float, rate: float) -> list[Measurement]:
        """Measures `kafka-producer-perf-test` with acks=all, and its defaults otherwise.

        Returns the rate of the whole run, as the tool reports it by default, and that after a warm-up: a fresh JVM is
        slower.

        Args:
            settings: the settings of all subjects.
            number: the number of the round.
            seconds: the approximate length.
            rate: the expected rate.

        Raises:
            BenchError: Kafka does not have exactly the records.
        """
        records = PERF_TEST_WARM_UP + round(rate * seconds)
        before = count_records(settings)
        # The heap of the script kafka-producer-perf-test.sh.
        command = ["java", "-Xmx512M", "-cp", self.class_path, "org.apache.kafka.tools.ProducerPerformance"]
        command += ["--bootstrap-server", settings.brokers, "--topic", settings.topic, "--throughput", "-1"]
        command += ["--num-records", str(records), "--warmup-records", str(PERF_TEST_WARM_UP)]
        command += ["--record-size", str(self.record_bytes), "--command-property", "acks=all"]
        whole, warm = parse_perf_test(run_command(command))
        written = count_records(settings) - before
        if written != records:
            raise BenchError(f"perf-test: {records} records sent, but {written} in Kafka")
        return [
            Measurement(KAFKA_ALONE, PERF_TEST, number, records, whole, 0, 0),
            Measurement(KAFKA_ALONE, WARM_PERF_TEST, number, records - PERF_TEST_WARM_UP, warm, 0, 0),
        ]


def parse_perf_test(output: str) -> tuple[float, float]:
    """Returns the records per second of the whole run, and those after the warm-up.

    Raises:
        BenchError: the output has no summary.
    """
    # The lines before are intermediate reports.
    summary = r"^\d+ records sent, ([\d.]+) records/sec .*\n\d+ steady state records sent, ([\d.]+) records/sec "
    found = re.search(summary, output, re.MULTILINE)
    if not found:
        raise BenchError(f"kafka-producer-perf-test printed no summary:\n{output}")
    return float(found[1]), float(found[2])


def mean_record_bytes(votes: Sequence[Vote]) -> int:
    """Returns the mean size of a record: key and value. The records of perf-test have no key."""
    return round(sum(messages.VOTE_ID_BYTES + messages.event_bytes(vote) for vote in votes) / len(votes))


def class_path(kafka_command: Sequence[str]) -> str:
    """Returns the class path in the command that started Kafka: it also has Kafka's tools."""
    return kafka_command[kafka_command.index("-cp") + 1]
