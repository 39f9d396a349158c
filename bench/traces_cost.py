"""Measures what traces cost: throughput and CPU time with traces off, sampled at 0 %, and sampled at 1 %.

    cargo build --release && python3 bench/traces_cost.py

Every request then starts a trace. The spans go to a real OpenTelemetry Collector, which discards them. Each round
measures the settings in random order, and `off` twice: the ratios of the second one, the control, show the noise.
Traces are cheap enough if the ratios of their rounds overlap those of the control.
"""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

import cases
from common import argument_parser, build_collector, lab_servers
from measure import measure, warm_up_broker
from report import Measurement
from subjects import OURS, Settings, Subject, free_addresses, wait_until_ready

COLLECTOR = """
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: ${env:COLLECTOR_GRPC}
exporters:
  nop:
service:
  telemetry:
    metrics:
      level: none
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [nop]
"""
OFF, CONTROL = "off", "off (control)"
# Of the order of the measurements.
SEED = 1


def main() -> int:
    """Measures, and prints the table. Exit code 1 if a setting costs more than the noise."""
    parser = argument_parser(__doc__.partition("\n")[0], rounds=6)
    parser.add_argument("--seconds", type=float, default=3.0, help="approximate length of one measurement")
    parser.add_argument("--in-flight", type=int, default=64, help="votes in flight, a multiple of 4")
    parser.add_argument("--worker-threads", type=int, default=2, help="runtime threads of every service")
    arguments = parser.parse_args()
    measurements = []
    with (
        tempfile.TemporaryDirectory(prefix="dualpath-traces-cost-") as name,
        lab_servers(arguments.programs, ("kafka",), Path(name) / "lab") as endpoints,
        _collector(Path(name)) as collector,
    ):
        settings = Settings(arguments.programs, endpoints["kafka"], "votes", arguments.worker_threads, Path(name))
        subjects = [replace(OURS, name=name) for name in (OFF, CONTROL)]
        subjects += [_traced("0", collector), _traced("0.01", collector)]
        order = random.Random(SEED)  # noqa: S311 - not a secret
        warm_up_broker(settings, arguments.in_flight)
        for number in range(arguments.rounds):
            for case in cases.single_votes(arguments.in_flight):
                for subject in order.sample(subjects, len(subjects)):
                    measured = measure(subject, case, number, settings, arguments.seconds)
                    print(f"round {number + 1}  {case.name:15} {subject.name:12} {measured.votes_per_second:9,.0f}/s")
                    measurements.append(measured)
    rows = list(_rows(measurements))
    print("\n| protocol | traces | votes/s | of off, min-max of rounds | CPU s per million votes | of off, min-max |")
    print("|---|---|---|---|---|---|")
    for cells, _ in rows:
        print(f"| {' | '.join(cells)} |")
    return 0 if all(within for _, within in rows) else 1


def _traced(ratio: str, collector: str) -> Subject:
    """Ours with traces on, sampled at `ratio`."""
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": ratio,
    }
    return replace(OURS, name=f"{float(ratio):.0%} sampled", environment=environment)


@contextmanager
def _collector(directory: Path) -> Iterator[str]:
    """Starts a collector that discards spans; yields its address."""
    program = build_collector()
    (address,) = free_addresses(1)
    config = directory / "collector.yaml"
    config.write_text(COLLECTOR)
    with (directory / "collector.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            [program, "--config", config], env={**os.environ, "COLLECTOR_GRPC": address}, stdout=log, stderr=log
        )
    try:
        wait_until_ready("the collector", process, address, None)
        yield address
    finally:
        process.terminate()
        process.wait()


def _rows(measurements: Sequence[Measurement]) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Yields the cells of each row, and whether the setting is within the noise."""
    for case in dict.fromkeys(measured.case for measured in measurements):
        # By round, because the measurements are.
        by_subject: dict[str, list[Measurement]] = {}
        for measured in measurements:
            if measured.case == case:
                by_subject.setdefault(measured.subject, []).append(measured)
        noise_rates, noise_costs = _ratios(by_subject[CONTROL], by_subject[OFF])
        for subject, own in sorted(by_subject.items(), reverse=True):
            rates, costs = _ratios(own, by_subject[OFF])
            cells = (
                case,
                subject,
                f"{median(measured.votes_per_second for measured in own):,.0f}",
                f"{median(rates):.3f}, {min(rates):.3f}-{max(rates):.3f}",
                f"{median(measured.cpu_seconds_per_million for measured in own):.1f}",
                f"{median(costs):.3f}, {min(costs):.3f}-{max(costs):.3f}",
            )
            yield cells, max(rates) >= min(noise_rates) and min(costs) <= max(noise_costs)


def _ratios(measured: Sequence[Measurement], off: Sequence[Measurement]) -> tuple[list[float], list[float]]:
    """Returns the ratios of throughput and of CPU time to those of `off`, for each round."""
    pairs = list(zip(measured, off, strict=True))
    rates = [one.votes_per_second / other.votes_per_second for one, other in pairs]
    costs = [one.cpu_seconds_per_million / other.cpu_seconds_per_million for one, other in pairs]
    return rates, costs


if __name__ == "__main__":
    sys.exit(main())
