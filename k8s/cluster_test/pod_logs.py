"""Logs of pods during a load, also of pods that end. `kubectl logs` has no logs of deleted pods."""

import shutil
import subprocess
import threading
from pathlib import Path

from cluster_test import kube

NAMES = ("ingress", "ingest-rest", "bridge", "ingest-grpc")
POLL_S = 0.5
# Time for the last lines of the running pods.
LAST_LINES_S = 2


class PodLogs:
    """Follows the logs of all pods on a vote's way into Kafka, one file per pod."""

    def __init__(self, directory: Path) -> None:
        """Starts to follow.

        Args:
            directory: the directory of the files; it is emptied first.
        """
        self._directory = directory
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        self._followers: dict[str, subprocess.Popen] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def stop(self, *, keep: bool) -> None:
        """Stops after the last lines.

        Args:
            keep: whether to keep the files.
        """
        self._stopped.wait(LAST_LINES_S)
        self._stopped.set()
        self._thread.join()
        for follower in self._followers.values():
            follower.terminate()
            follower.wait()
        if not keep:
            shutil.rmtree(self._directory)

    def _follow(self) -> None:
        while not self._stopped.wait(POLL_S):
            try:
                pods = kube.get("pods", f"--selector=app.kubernetes.io/name in ({','.join(NAMES)})")["items"]
            except kube.ClusterError:
                # The API server is busy; the next poll sees the same pods.
                continue
            for pod in pods:
                name, statuses = pod["metadata"]["name"], pod["status"].get("containerStatuses", [])
                # A container that has not started has no log to follow.
                if name not in self._followers and statuses and "waiting" not in statuses[0]["state"]:
                    self._followers[name] = self._start(name)

    def _start(self, pod: str) -> subprocess.Popen:
        command = ["kubectl", "--namespace", kube.NAMESPACE, "logs", pod, "--follow", "--timestamps", "--tail=1000"]
        with (self._directory / f"{pod}.log").open("wb") as file:
            return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
