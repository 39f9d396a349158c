"""The load generator: a Kubernetes Job that runs Locust against the Ingress and writes a ledger to its log."""

import json
import time
from collections import Counter
from dataclasses import dataclass, field

from cluster_test import kube, tls

IMAGE = "localhost/dualpath/locust:0.1.0"
HTTP_HOST, GRPC_HOST = "votes.dualpath.example", "grpc.dualpath.example"


@dataclass
class Load:
    """The ledger entries of one load: every vote sent, with its outcome."""

    entries: list[dict] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Number of votes sent."""
        return len(self.entries)

    def acknowledged(self, path: str) -> Counter:
        """Counts the votes with a receipt that were sent on a path, by the route that answered."""
        return Counter(entry["route"] for entry in self.entries if entry["ok"] and entry["path"] == path)

    def failed(self, *paths: str) -> list[dict]:
        """Returns the votes without a receipt, of these paths or of all."""
        return [entry for entry in self.entries if not entry["ok"] and (not paths or entry["path"] in paths)]

    def between(self, begin_s: float, end_s: float) -> "Load":
        """Returns the votes sent between two times, in seconds since the Unix epoch."""
        return Load([entry for entry in self.entries if begin_s <= entry["sent_at_us"] / 1e6 < end_s])


class RunningLoad:
    """A running load."""

    def __init__(self, name: str, seconds: int) -> None:
        """Wraps an existing Job.

        Args:
            name: the name of the Job.
            seconds: the run time of the load.
        """
        self.name, self.seconds = name, seconds

    def stop(self) -> Load:
        """Stops the load now; users finish the vote in flight."""
        interrupt = "import os, signal; os.kill(1, signal.SIGINT)"
        kube.kubectl("exec", f"job/{self.name}", "--", "python3", "-c", interrupt)
        return self.wait()

    def wait(self) -> Load:
        """Waits for the end of the Job, and reads the ledger from its log.

        Raises:
            ClusterError: the Job did not end, or sent no vote.
        """
        kube.wait_until(f"the end of {self.name}", self._is_finished, self.seconds + 120)
        log = kube.kubectl("logs", f"job/{self.name}", "--tail=-1")
        entries = [json.loads(line) for line in log.splitlines() if line.startswith('{"vote_id"')]
        kube.kubectl("delete", "job", self.name, "--wait=true")
        if not entries:
            raise kube.ClusterError(f"{self.name} sent no vote: {log[-800:]}")
        return Load(entries)

    def _is_finished(self) -> bool:
        status = kube.get("job", self.name)["status"]
        return bool(status.get("succeeded") or status.get("failed"))


def start(
    users: str,
    seconds: int,
    *,
    count: int = 8,
    wait_ms: int = 0,
    mix: str = "split=2,grpc=1",
    gateway: bool = False,
) -> RunningLoad:
    """Starts a load and waits until it sends.

    Args:
        users: the Locust user class.
        seconds: the run time.
        count: the number of users.
        wait_ms: milliseconds that a user waits after each vote.
        mix: the weights of the paths of a MixedUser.
        gateway: True to use the host names of the Gateway API routes instead of the Ingress.
    """
    name = f"load-{time.time_ns() // 1_000_000 % 10**9}"
    host = HTTP_HOST if gateway else "ingress"
    arguments = [
        "--headless", "--only-summary", "--loglevel=WARNING", users, f"--users={count}", f"--spawn-rate={count}",
        f"--run-time={seconds}s", f"--host=https://{host}:8000", f"--wait-ms={wait_ms}", f"--mix={mix}",
        "--ca=/etc/ingress-ca/ca.crt", "--ledger=/dev/stdout", "--votes-file=/votes/bandas_guatemala.json",
    ]  # fmt: skip
    if gateway:
        arguments.append(f"--grpc-target={GRPC_HOST}:8000")
    kube.kubectl("apply", "--filename=-", stdin=json.dumps(_job(name, arguments)))
    kube.wait_until(f"the start of {name}", lambda: bool(kube.get("job", name)["status"].get("ready")), 60, pause_s=0.5)
    return RunningLoad(name, seconds)


def _job(name: str, arguments: list[str]) -> dict:
    votes = next(
        item["metadata"]["name"]
        for item in kube.get("configmaps")["items"]
        if item["metadata"]["name"].startswith("locust-votes-")
    )
    address = kube.cluster_ip("ingress")
    pod = {
        "restartPolicy": "Never",
        "serviceAccountName": "locust",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostAliases": [{"ip": address, "hostnames": [HTTP_HOST, GRPC_HOST]}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "locust",
                "image": IMAGE,
                "args": arguments,
                "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "votes", "mountPath": "/votes"},
                    {"name": "ingress-ca", "mountPath": "/etc/ingress-ca", "readOnly": True},
                    {"name": "tmp", "mountPath": "/tmp"},
                ],
            }
        ],
        "volumes": [
            {"name": "votes", "configMap": {"name": votes}},
            {
                "name": "ingress-ca",
                "secret": {"secretName": tls.SECRET, "items": [{"key": "ca.crt", "path": "ca.crt"}]},
            },
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    labels = {"app.kubernetes.io/name": "locust-worker", "app.kubernetes.io/component": "load"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }
