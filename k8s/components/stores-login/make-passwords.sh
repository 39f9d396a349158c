#!/usr/bin/env bash
# Prints the Secrets with new passwords of all users of Redis and MongoDB.
#
#   make-passwords.sh | kubectl apply --filename=-
#
# Redis and MongoDB read them at their start: restart them after a change, then the programs.
set -euo pipefail
readonly namespace=dualpath
for user in redis-consumer redis-viewer redis-grafana mongodb-consumer mongodb-viewer; do
    cat <<YAML
---
apiVersion: v1
kind: Secret
metadata: {name: $user, namespace: $namespace, labels: {app.kubernetes.io/part-of: dualpath}}
stringData: {password: "$(openssl rand -hex 24)"}
YAML
done
