#!/usr/bin/env bash
# Installs cert-manager into the running cluster, from locally built images and with the manifests in cert-manager/. The
# first run compiles its programs, which takes some minutes.
#
# The CRDs are those of a current release. The programs are those of the last release whose Go module contains them: later
# releases keep them in modules without versions, which a module proxy does not have.
set -euo pipefail
# shellcheck source=k8s/lab/common.sh
. "$(dirname "$0")/common.sh"
archive="$cache/k8s-images/cert-manager.tar"

images_are_up_to_date() {
    local program
    for program in "${cert_manager_programs[@]}"; do [ "$archive" -nt "$bin/$program" ] || return 1; done
}

"$here/build.sh" "${cert_manager_programs[@]}"
images_are_up_to_date || "$here/images.sh" cert-manager
"$here/cluster.sh" load "$archive"

crds="$(cd / && go mod download -json "github.com/cert-manager/cert-manager@v$cert_manager_crds" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')/deploy/crds"
for file in "$crds"/*.yaml; do kubectl apply --server-side --force-conflicts --filename="$file" >/dev/null; done
kubectl wait --for=condition=Established crd --all --timeout=60s >/dev/null
"$cache/tools/bin/kustomize" build "$here/cert-manager" | kubectl apply --server-side --force-conflicts --filename=- >/dev/null
for deployment in controller cainjector webhook; do
    kubectl --namespace cert-manager rollout status "deployment/$deployment" --timeout=120s >/dev/null
done
# has_ca KIND: whether the API server can verify the webhook.
has_ca() { [ -n "$(kubectl get "$1" cert-manager-webhook --output=jsonpath='{.webhooks[0].clientConfig.caBundle}')" ]; }
for kind in validatingwebhookconfiguration mutatingwebhookconfiguration; do
    wait_for "the $kind of cert-manager" 60 has_ca "$kind"
done
