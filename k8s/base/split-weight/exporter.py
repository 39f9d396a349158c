"""Exports the configured weight of the canary Ingress as the metric `ingress_split_weight_percent`.

Each scrape reads that Ingress from the API server with the pod's token. If the request fails, the scrape has no sample:
alerts must not compare a stale weight with the observed share.
"""

import http.server
import json
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path

PORT = 9107
ANNOTATION = "nginx.ingress.kubernetes.io/canary-weight"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT_S = 2


def weight(ingress: dict) -> float:
    """Returns the percentage in the annotation; 0 without the annotation, as in ingress-nginx."""
    return float(ingress["metadata"].get("annotations", {}).get(ANNOTATION, 0))


def exposition(percent: float | None) -> str:
    """Returns the metrics page; it has no sample if `percent` is None."""
    lines = [
        "# HELP ingress_split_weight_percent Configured percentage of split-path requests that go to the bridge",
        "# TYPE ingress_split_weight_percent gauge",
    ]
    if percent is not None:
        lines.append(f"ingress_split_weight_percent {percent:g}")
    return "\n".join(lines) + "\n"


def read_ingress(name: str) -> dict:
    """Reads the Ingress `name` of the pod's namespace from the API server."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    namespace = (ACCOUNT / "namespace").read_text()
    url = f"https://{host}:{port}/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{name}"
    # The kubelet renews the token, so read it for each request.
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}"})
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:
        return json.load(answer)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves /metrics and /livez."""

    def do_GET(self) -> None:
        """Responds to a scrape or a probe."""
        if self.path == "/livez":
            self._answer("ok\n")
        elif self.path == "/metrics":
            self._answer(exposition(self._percent()))
        else:
            self.send_error(404)

    def _percent(self) -> float | None:
        try:
            return weight(read_ingress(os.environ["CANARY_INGRESS"]))
        except (OSError, ValueError, KeyError) as error:
            self.log_error("cannot read the weight of the canary Ingress: %s", error)
            return None

    def _answer(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_: object) -> None:
        """Logs nothing: a line for each scrape would hide the errors."""


def main() -> None:
    """Serves until the pod is stopped."""
    http.server.ThreadingHTTPServer(("", PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()
