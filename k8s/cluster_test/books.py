"""Whether the stores agree with what was sent: `consumer reconcile` in a pod, with everything that was ever sent."""

import json
from pathlib import Path

from cluster_test import kube
from cluster_test.load import Load

POD = "reconcile"


class Books:
    """Everything that was sent since the stores were empty, kept in a file for the stages of a later call."""

    def __init__(self, file: Path) -> None:
        """Goes on where the file ends."""
        self._file = file

    def begin(self) -> None:
        """Begins with nothing: the stores are empty."""
        self._file.write_text("")

    def add(self, load: Load) -> Load:
        """Enters what a load has sent."""
        with self._file.open("a") as file:
            for entry in load.entries:
                file.write(json.dumps({key: entry[key] for key in ("vote_id", "route", "ok")}) + "\n")
        return load

    def check(self) -> dict:
        """Compares per route and vote by vote; returns the counts of each route.

        A vote without a receipt may have arrived or not: that is no difference, and the stages count such votes.

        Raises:
            ClusterError: the books differ, or nobody can tell.
        """
        arguments = ["reconcile", "--json", "--ledger=/dev/stdin", "--tolerate-failed", "--wait-s=120"]
        kube.kubectl("delete", "pod", POD, "--ignore-not-found", "--wait=true")
        kube.kubectl("apply", "--filename=-", stdin=json.dumps(_pod(arguments)))
        kube.kubectl("wait", "--for=jsonpath={.status.phase}=Running", f"pod/{POD}", "--timeout=60s")
        kube.kubectl("attach", POD, "--stdin", "--quiet", stdin=self._file.read_text(), check=False)
        kube.until("the end of the check of the books", self._is_over, 200)
        log = kube.kubectl("logs", POD)
        code = kube.get("pod", POD)["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"]
        if code != 0:
            raise kube.ClusterError(f"the books do not balance (exit code {code}): {log[-3000:]}")
        kube.kubectl("delete", "pod", POD)
        return json.loads(log[log.find("{") :])["routes"]

    def _is_over(self) -> bool:
        return kube.get("pod", POD)["status"]["phase"] in {"Succeeded", "Failed"}


def _pod(arguments: list[str]) -> dict:
    """The consumer's own pod, with other arguments and an open standard input."""
    spec = kube.get("deployment", "consumer")["spec"]["template"]["spec"]
    container = spec["containers"][0]
    kept = {"name", "image", "env", "envFrom", "resources", "securityContext"}
    once = {key: value for key, value in container.items() if key in kept}
    once |= {"args": arguments, "stdin": True, "stdinOnce": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD},
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": "consumer",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": spec["securityContext"],
            "containers": [once],
        },
    }
