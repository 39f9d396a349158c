#!/usr/bin/env bash
# canary.sh WEIGHT [ingress|gateway]: percent of the split path /v1/votes that goes to the bridge; the rest goes to rest.
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
        # The third rule is the split (components/gateway-api); its `test`s see to it that nothing else is changed.
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
