#!/usr/bin/env bash
# Installs Knative Serving with Traefik as its Ingress into the running cluster. Uses Knative's manifests and locally built
# images. The first run compiles Knative's programs, which takes some minutes.
set -euo pipefail
# shellcheck source=k8s/lab/common.sh
. "$(dirname "$0")/common.sh"
archive="$cache/k8s-images/knative.tar"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# module MODULE@VERSION: downloads a Go module and prints its directory.
module() { (cd / && go mod download -json "$1") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'; }

# collect DIRECTORY FILE...: copies manifests into a directory that kustomize can use as a base.
collect() {
    local directory="$1"
    shift
    mkdir "$directory"
    cp "$@" "$directory/"
    chmod -R u+w "$directory"
    (cd "$directory" && "$cache/tools/bin/kustomize" create --autodetect)
}

images_are_up_to_date() {
    local program
    for program in "${knative_programs[@]}"; do [ "$archive" -nt "$bin/$program" ] || return 1; done
}

"$here/build.sh" "${knative_programs[@]}"
images_are_up_to_date || "$here/images.sh" knative
"$here/cluster.sh" load "$archive"

serving="$(module "knative.dev/serving@v$knative")/config/core"
networking="$(module "knative.dev/networking@v$knative_networking")/config"
caching="$(module "knative.dev/caching@v$knative_caching")/config"
collect "$work/crds" "$serving"/300-resources/*.yaml "$caching/image.yaml" \
    "$networking"/{certificate,domain-claim,ingress,serverlessservice}.yaml
collect "$work/accounts" "$serving"/{100-namespace,200-serviceaccount}.yaml "$serving"/200-roles/*.yaml
collect "$work/settings" "$serving"/configmaps/*.yaml "$networking/config-network.yaml"
# Without the autoscalers of the activator and the webhook.
collect "$work/programs" "$serving"/webhooks/*.yaml "$serving"/deployments/{activator,autoscaler,controller,webhook}.yaml
sed --in-place 's|ko://knative.dev/serving/cmd/\([a-z]*\)|localhost/knative-\1:1|' "$work"/{settings,programs}/*.yaml
cp -r "$here/knative/serving" "$work/"

apply() { "$cache/tools/bin/kustomize" build "$1" | kubectl apply --server-side --force-conflicts --filename=- >/dev/null; }
apply "$work/crds"
kubectl wait --for=condition=Established crd --all --timeout=60s >/dev/null
apply "$work/serving"
for deployment in activator autoscaler controller webhook traefik; do
    kubectl --namespace knative-serving rollout status "deployment/$deployment" --timeout=180s >/dev/null
done
