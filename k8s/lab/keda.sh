#!/usr/bin/env bash
# Installs KEDA, which scales by Kafka consumer lag, into the running cluster. Uses KEDA's manifests and locally built
# images.
set -euo pipefail
# shellcheck source=k8s/lab/common.sh
. "$(dirname "$0")/common.sh"
source="$cache/kubernetes-$kubernetes/keda-$keda"
[ -e "$source/ready" ] || die "KEDA is missing: run $here/build.sh first"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cp -r "$source/config" "$work/"
mkdir "$work/lab"
cat >"$work/lab/kustomization.yaml" <<'YAML'
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../config/minimal]
images:
  - {name: ghcr.io/kedacore/keda, newName: localhost/keda-operator, newTag: "1"}
  - {name: ghcr.io/kedacore/keda-metrics-apiserver, newName: localhost/keda-adapter, newTag: "1"}
patches:
  - target: {kind: Deployment}
    patch: |
      - {op: replace, path: /spec/template/spec/containers/0/imagePullPolicy, value: IfNotPresent}
      - {op: replace, path: /spec/template/spec/containers/0/resources/requests, value: {cpu: 20m, memory: 64Mi}}
YAML
# A client-side apply would fail: large CRDs do not fit into its last-applied-configuration annotation.
"$cache/tools/bin/kustomize" build "$work/lab" | kubectl apply --server-side --force-conflicts --filename=- >/dev/null
kubectl --namespace keda rollout status deployment/keda-operator --timeout=120s
kubectl --namespace keda rollout status deployment/keda-metrics-apiserver --timeout=120s
wait_for "KEDA's metrics" 60 kubectl get --raw /apis/external.metrics.k8s.io/v1beta1
