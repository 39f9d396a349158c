"""Exports the weight that the canary Ingress asks for, as `ingress_split_weight_percent`.

Asks the API server at each scrape, with the pod's own token, for that one object. Without an answer there is no sample:
a stale weight would be compared with what is observed.
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
    """The percentage in the annotation; without one the canary gets nothing, as ingress-nginx has it."""
    return float(ingress["metadata"].get("annotations", {}).get(ANNOTATION, 0))


def exposition(percent: float | None) -> str:
    """The metrics page; `percent` is None where nobody knows."""
    lines = [
        "# HELP ingress_split_weight_percent Percent of the split path that the Ingress is told to give to the bridge",
        "# TYPE ingress_split_weight_percent gauge",
    ]
    if percent is not None:
        lines.append(f"ingress_split_weight_percent {percent:g}")
    return "\n".join(lines) + "\n"


def read_ingress(name: str) -> dict:
    """The Ingress `name` of the pod's namespace."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    namespace = (ACCOUNT / "namespace").read_text()
    url = f"https://{host}:{port}/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{name}"
    # The kubelet renews the token: it is read each time.
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}"})
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:
        return json.load(answer)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers /metrics and /livez."""

    def do_GET(self) -> None:
        """Answers a scrape or a probe."""
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
            self.log_error("no weight: %s", error)
            return None

    def _answer(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_: object) -> None:
        """Says nothing: a line for each scrape would hide the errors."""


def main() -> None:
    """Serves until the pod ends."""
    http.server.ThreadingHTTPServer(("", PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()
