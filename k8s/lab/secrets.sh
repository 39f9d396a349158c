#!/usr/bin/env bash
# Prints the Secrets that overlays/lab needs and does not contain: keys and certificates, and the passwords of all users.
#
#   secrets.sh DIRECTORY | kubectl apply --filename=-     DIRECTORY: of the CA, as in components/tls/make-secrets.sh
set -euo pipefail
[ "$#" -eq 1 ] || { sed -n '2,4p' "$0" >&2; exit 64; }
readonly directory="$1" namespace=dualpath
"$(dirname "$0")/../components/tls/make-secrets.sh" "$directory" 30 \
    "kafka-tls=kafka,kafka.$namespace.svc,kafka-0.kafka-nodes.$namespace.svc.cluster.local"
"$(dirname "$0")/../components/stores-login/make-passwords.sh"
# Kafka. The names are those of Strimzi.
cat <<YAML
---
apiVersion: v1
kind: Secret
metadata: {name: votes-cluster-ca-cert, namespace: $namespace}
data: {ca.crt: $(base64 --wrap=0 "$directory/ca.crt")}
YAML
for user in ingest consumer keda prepare; do
    cat <<YAML
---
apiVersion: v1
kind: Secret
metadata: {name: $user, namespace: $namespace}
stringData: {password: "$(openssl rand -hex 24)"}
YAML
done
