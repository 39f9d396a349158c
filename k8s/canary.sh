#!/usr/bin/env bash
# Sends WEIGHT percent of the split path /v1/votes to the bridge and the remainder to ingest-rest.
#
#   canary.sh WEIGHT [ingress|gateway]
set -euo pipefail
readonly weight="${1:-}" via="${2:-ingress}" namespace="${NAMESPACE:-dualpath}"

if ! [[ "$weight" =~ ^[0-9]+$ ]] || [ "$weight" -gt 100 ]; then
    echo "usage: $0 WEIGHT [ingress|gateway], with a weight from 0 to 100" >&2
    exit 64
fi
case "$via" in
    ingress)
        kubectl --namespace "$namespace" annotate --overwrite ingress/split-canary \
            "nginx.ingress.kubernetes.io/canary-weight=$weight"
        ;;
    gateway)
        # Rule 2 is the split (components/gateway-api). The `test` operations make the patch fail if it is another rule.
        refs=/spec/rules/2/backendRefs
        kubectl --namespace "$namespace" patch httproute/votes --type=json --patch "[
            {\"op\": \"test\", \"path\": \"$refs/0/name\", \"value\": \"split-rest\"},
            {\"op\": \"test\", \"path\": \"$refs/1/name\", \"value\": \"split-bridge\"},
            {\"op\": \"replace\", \"path\": \"$refs/0/weight\", \"value\": $((100 - weight))},
            {\"op\": \"replace\", \"path\": \"$refs/1/weight\", \"value\": $weight}
        ]"
        ;;
    *)
        echo "usage: $0 WEIGHT [ingress|gateway]" >&2
        exit 64
        ;;
esac
