"""`python -m cluster_test [STAGE...]`: runs the stages in order on the cluster of the current kubectl context."""

import argparse
import sys
import time
from pathlib import Path

from cluster_test.kube import ClusterError
from cluster_test.ledger import Ledger
from cluster_test.report import Report, Row
from cluster_test.stages import STAGES


def main() -> int:
    """Runs the stages; returns 0 if every row of the report is ok."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"one of {', '.join(STAGES)}; default: all")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results/cluster"),
        help="directory of report, ledger and, if votes failed, logs",
    )
    parser.add_argument("--publish", type=Path, metavar="PAGE", help="also insert the table into docs/kubernetes.md")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rolling updates of ingress-rollouts")
    arguments = parser.parse_args()
    if unknown := set(arguments.stages) - STAGES.keys():
        parser.error(f"unknown stage: {', '.join(sorted(unknown))}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    report, ledger = Report(arguments.out), Ledger(arguments.out)
    options = {"ingress-rollouts": {"repeat": arguments.repeat}}
    for name, stage in STAGES.items():
        if arguments.stages and name not in arguments.stages:
            continue
        print(f"{name}: {stage.__doc__.splitlines()[0]}", flush=True)
        started = time.monotonic()
        try:
            rows = stage(ledger, **options.get(name, {}))
        except ClusterError as error:
            rows = [Row("the stage completes", str(error).replace("\n", " ").replace("|", "/"), ok=False)]
        report.put(name, rows)
        print(f"  took {time.monotonic() - started:.0f} s", flush=True)
    if arguments.publish:
        report.publish(arguments.publish)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
