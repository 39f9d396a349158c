"""The viewer as a Knative Service: requests to it, and its objects in the cluster."""

import http.client
import json
import time
from dataclasses import dataclass

from cluster_test import kube, mongodb, tls
from cluster_test.follower import Follower

LAB = kube.OVERLAYS.parent / "lab"
NAMESPACE, NAME, PORT = "cloud-run", "dualpath-viewer", 8000
HOST = f"{NAME}.{NAMESPACE}.dualpath.example"
KIND = "services.serving.knative.dev"
READY_WITHIN_S, ZERO_WITHIN_S = 120, 90
# Longer than any answer takes.
TIMEOUT_S = 60


@dataclass(frozen=True)
class Answer:
    """An answer of the viewer."""

    status: int
    body: dict
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return self.status == http.HTTPStatus.OK

    @property
    def has_prometheus(self) -> bool | None:
        """Whether the revision that answered `/api/status` has Prometheus. None if the request failed."""
        metrics = self.body.get("metrics")
        return None if metrics is None else metrics != "not_configured"


@dataclass(frozen=True)
class Viewer:
    """The viewer behind the Traefik at this address."""

    address: str

    def get(self, path: str, source: str = "", headers: dict[str, str] | None = None) -> Answer:
        """Requests a path on a new connection, from this address of this machine."""
        started = time.monotonic()
        connection = http.client.HTTPConnection(self.address, PORT, timeout=TIMEOUT_S, source_address=(source, 0))
        try:
            connection.request("GET", path, headers={"Host": HOST, **(headers or {})})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        is_json = answer.headers.get("Content-Type", "").startswith("application/")
        return Answer(answer.status, json.loads(content) if is_json else {}, time.monotonic() - started)

    def follow(self, last_event_id: str | None = None) -> Follower:
        """Opens a stream of new votes."""
        return Follower(self.address, PORT, HOST, last_event_id)


def get(*arguments: str, namespace: str = NAMESPACE) -> dict:
    """Returns an object of the viewer's namespace, or of another one."""
    return kube.get(*arguments, f"--namespace={namespace}")


def create_secrets(user: mongodb.User) -> None:
    """Creates the namespace, and the Secrets with the URI of MongoDB for this user and with the CA of MongoDB."""
    kube.kubectl("apply", f"--namespace={NAMESPACE}", f"--filename={LAB / 'knative/viewer/namespace.yaml'}")
    uri = (
        f"mongodb://{user.name}:{user.password}@{mongodb.MEMBER}/"
        f"?replicaSet=rs0&authSource={user.source}&tls=true&tlsCAFile=/etc/mongodb/ca.crt"
    )
    for name, data in (("uri", {"latest": uri}), ("ca", {"ca.crt": tls.ca()})):
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"{NAME}-mongodb-{name}"},
            "stringData": data,
        }
        kube.kubectl("apply", f"--namespace={NAMESPACE}", "--filename=-", stdin=json.dumps(secret))


def deploy() -> None:
    """Applies `viewer/cloudrun.yaml` with the replacements of the lab, and waits until it is ready."""
    kube.kubectl("apply", f"--namespace={NAMESPACE}", "--kustomize", str(LAB / "knative/viewer"))
    kube.wait_until("readiness of the Knative Service", lambda: is_ready(1), READY_WITHIN_S)


def delete() -> None:
    """Deletes the Service with its pods, then the namespace.

    Kubernetes looks at a namespace with pods again after half of their grace period, which is an hour.
    """
    options = ("--cascade=foreground", "--ignore-not-found", "--timeout=120s")
    # No check: after an exception, which must not be hidden by another one, there may be no Service.
    kube.kubectl("delete", KIND, NAME, f"--namespace={NAMESPACE}", *options, check=False)
    kube.kubectl("delete", "namespace", NAMESPACE, *options, check=False)


def delete_pod(name: str) -> None:
    """Starts to delete a pod."""
    kube.kubectl("delete", "pod", name, f"--namespace={NAMESPACE}", "--wait=false")


def patch(spec: dict) -> None:
    """Replaces fields of the Service's specification."""
    merge = json.dumps({"spec": spec})
    kube.kubectl("patch", KIND, NAME, f"--namespace={NAMESPACE}", "--type=merge", f"--patch={merge}")


def add_prometheus() -> None:
    """Configures Prometheus, which makes a second revision, and waits until it is ready."""
    template = get(KIND, NAME)["spec"]["template"]
    variable = {"name": "PROMETHEUS_URL", "value": f"http://prometheus.{kube.NAMESPACE}:9090"}
    template["spec"]["containers"][0]["env"].append(variable)
    patch({"template": template})
    kube.wait_until("the new revision", lambda: is_ready(2), READY_WITHIN_S)


def revision() -> str:
    """Returns the newest revision that is ready."""
    return get(KIND, NAME)["status"]["latestReadyRevisionName"]


def is_ready(revisions: int) -> bool:
    """Tells whether the Service is ready, with the newest of this number of revisions."""
    service = get(KIND, NAME)
    status = service.get("status", {})
    created = len(get("revisions.serving.knative.dev")["items"])
    return (
        created == revisions
        and status.get("observedGeneration") == service["metadata"]["generation"]
        and status.get("latestReadyRevisionName") == status.get("latestCreatedRevisionName")
        and any(found["type"] == "Ready" and found["status"] == "True" for found in status.get("conditions", []))
    )


def pods(of: str | None = None) -> list[str]:
    """Returns the names of the pods that are not being deleted; those of one revision, or all."""
    selector = f"serving.knative.dev/service={NAME}" + (f",serving.knative.dev/revision={of}" if of else "")
    found = get("pods", f"--selector={selector}")["items"]
    return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]


def only_pod(of: str) -> str:
    """Returns the name of the only pod of a revision.

    Raises:
        ClusterError: there is no pod, or more than one.
    """
    found = pods(of)
    if len(found) != 1:
        raise kube.ClusterError(f"{of} has {len(found)} pods instead of one")
    return found[0]


def stays(pod: str, of: str, seconds: float) -> bool:
    """Tells whether this pod stays the only one of its revision for this time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if pods(of) != [pod]:
            return False
        time.sleep(1)
    return True


def wait_for_zero() -> float:
    """Waits until every pod is at least being deleted; returns the elapsed seconds."""
    return kube.wait_until("zero pods", lambda: not pods(), ZERO_WITHIN_S, pause_s=0.5)
