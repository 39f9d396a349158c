"""The ledger of all votes sent, and its reconciliation with the stores by `consumer reconcile` in a pod."""

import json
from pathlib import Path

from cluster_test import kube
from cluster_test.load import Load

POD = "reconcile"


# What the reconciliation needs.
FIELDS = ("vote_id", "route", "ok")


class Ledger:
    """All votes sent since the stores were empty. The file persists them for stages of a later run."""

    def __init__(self, directory: Path) -> None:
        """Opens the ledger in this directory; new entries are appended to its file."""
        self.directory = directory
        self._file = directory / "ledger.jsonl"

    def reset(self) -> None:
        """Removes all entries. Call this when the stores are empty."""
        self._file.write_text("")

    def add(self, load: Load) -> Load:
        """Appends the votes of a load, with everything that is known about a failed one; returns the load."""
        with self._file.open("a") as file:
            for entry in load.entries:
                kept = {key: entry[key] for key in FIELDS} if entry["ok"] else entry
                file.write(json.dumps(kept) + "\n")
        return load

    def reconcile(self) -> dict:
        """Compares the ledger with the stores, per route and vote by vote; returns the counts of each route.

        A vote without a receipt may or may not be in the stores, so it is no difference. The stages count such votes.

        Raises:
            ClusterError: the counts differ, or the reconciliation failed.
        """
        arguments = ["reconcile", "--json", "--ledger=/dev/stdin", "--tolerate-failed", "--wait-s=120"]
        kube.kubectl("delete", "pod", POD, "--ignore-not-found", "--wait=true")
        kube.kubectl("apply", "--filename=-", stdin=json.dumps(consumer_pod(POD, arguments)))
        kube.kubectl("wait", "--for=jsonpath={.status.phase}=Running", f"pod/{POD}", "--timeout=60s")
        kube.kubectl("attach", POD, "--stdin", "--quiet", stdin=self._file.read_text(), check=False)
        kube.wait_until("the end of the reconciliation", self._is_finished, 200)
        log = kube.kubectl("logs", POD)
        code = kube.get("pod", POD)["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"]
        if code != 0:
            raise kube.ClusterError(f"the counts do not reconcile (exit code {code}): {log[-3000:]}")
        kube.kubectl("delete", "pod", POD)
        return json.loads(log[log.find("{") :])["routes"]

    def _is_finished(self) -> bool:
        return kube.get("pod", POD)["status"]["phase"] in {"Succeeded", "Failed"}


def consumer_pod(name: str, arguments: list[str], variables: dict[str, str] | None = None) -> dict:
    """Returns a copy of the consumer's pod with other arguments and an open standard input.

    Args:
        name: the name of the pod.
        arguments: the arguments of the program.
        variables: environment variables that differ.
    """
    spec = kube.get("deployment", "consumer")["spec"]["template"]["spec"]
    container = spec["containers"][0]
    kept = {"name", "image", "env", "envFrom", "resources", "securityContext", "volumeMounts"}
    copy = {key: value for key, value in container.items() if key in kept}
    copy |= {"args": arguments, "stdin": True, "stdinOnce": True}
    own = variables or {}
    copy["env"] = [variable for variable in copy["env"] if variable["name"] not in own]
    copy["env"] += [{"name": variable, "value": value} for variable, value in own.items()]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": "consumer",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": spec["securityContext"],
            "containers": [copy],
            "volumes": spec["volumes"],
        },
    }
