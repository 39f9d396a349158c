#!/usr/bin/env bash
# Puts the CRDs that the overlays use, and schemas of all kinds, into DIRECTORY (crds/, json/): what the checks of the
# manifests need, and what `make cluster-test` gives its API server. Each comes from the release that brings the kind.
#
#   fetch.sh DIRECTORY PYTHON       PYTHON has PyYAML
set -euo pipefail
cd "$(dirname "$0")"
readonly kubernetes=1.34.4 gateway_api=1.5.1 keda=2.18.3 prometheus_operator=0.85.0 knative=0.51.0
readonly directory="$1" python="$2"
export GOTOOLCHAIN=local
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# MODULE@VERSION: where its files are.
module() {
    # Outside of any module, so that none is asked what it needs.
    (cd "$work" && go mod download -json "$1") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}

crds="$work/tree/crds"
mkdir -p "$crds" "$work/made"
cp "$(module "sigs.k8s.io/gateway-api@v$gateway_api")"/config/crd/standard/gateway.networking.k8s.io_*.yaml "$crds/"
cp "$(module "github.com/kedacore/keda/v2@v$keda")/config/crd/bases/keda.sh_scaledobjects.yaml" "$crds/"
cp "$(module "github.com/prometheus-operator/prometheus-operator@v$prometheus_operator")/example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml" "$crds/"

mvn --quiet --batch-mode --file pom.xml org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$work/strimzi"
# Strimzi publishes its classes, but neither its CRDs nor its own generator in a registry.
java -cp "$work/strimzi/*" io.fabric8.crd.generator.cli.CRDGeneratorCLI --output-dir "$work/made" \
    --classpath "$(echo "$work"/strimzi/api-*.jar)" io.strimzi.api.kafka.model.kafka.Kafka \
    io.strimzi.api.kafka.model.nodepool.KafkaNodePool io.strimzi.api.kafka.model.topic.KafkaTopic >/dev/null
"$python" loosen.py "$work"/made/*.yml
for file in "$work"/made/*.yml; do cp "$file" "$crds/$(basename "$file" .yml).yaml"; done
chmod -R u+w "$crds"

"$python" make.py "$(module "k8s.io/kubernetes@v$kubernetes")/api/openapi-spec/swagger.json" "$crds" "$work/tree/json"
# Not for the API server: only the viewer's manifest for Cloud Run is held against it.
mkdir "$work/knative"
cp "$(module "knative.dev/serving@v$knative")/config/core/300-resources/service.yaml" "$work/knative/"
"$python" make.py <(printf '{"definitions": {}}') "$work/knative" "$work/tree/json"
# Last, so that what is there is whole.
rm -rf "$directory"
mkdir -p "$(dirname "$directory")"
mv "$work/tree" "$directory"
