#!/usr/bin/env bash
# For a cluster without cert-manager: prints the Secrets with the keys and certificates of all servers, signed by a CA of
# their own.
#
#   make-secrets.sh DIRECTORY [DAYS [SECRET=NAME,NAME...]...] | kubectl apply --filename=-
#
# SECRET=NAME,NAME adds a Secret for another server, with the names in its certificate.
# DIRECTORY keeps the CA (ca.key, ca.crt). If it has one, the new certificates are signed by it, so clients keep their trust.
# Keep ca.key off the cluster, and run this again before DAYS (default: 90) have passed: the servers load new certificates
# without a restart, except Redis and MongoDB of base/stores.
set -euo pipefail
if [ "$#" -lt 1 ]; then
    sed -n '2,10p' "$0" >&2
    exit 64
fi
readonly directory="$1" days="${2:-90}" namespace=dualpath
shift "$(($# < 2 ? $# : 2))"
umask 077
mkdir -p "$directory"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

make_ca() {
    new_key "$directory/ca.key"
    openssl req -x509 -new -key "$directory/ca.key" -subj "/CN=dualpath CA" -days 3650 -out "$directory/ca.crt" \
        -addext "keyUsage=critical,keyCertSign,cRLSign"
}

# print_secret SECRET USAGES NAME...: prints a Secret with a new key and a certificate for the names.
print_secret() {
    local secret="$1" usages="$2" names
    shift 2
    names="$(printf 'DNS:%s,' "$@")"
    new_key "$work/tls.key"
    openssl req -new -key "$work/tls.key" -subj "/CN=$1" -out "$work/request"
    openssl x509 -req -in "$work/request" -CA "$directory/ca.crt" -CAkey "$directory/ca.key" -days "$days" \
        -set_serial "0x$(openssl rand -hex 16)" -out "$work/tls.crt" 2>/dev/null -extfile <(printf '%s\n' \
        "subjectAltName=${names%,}" "extendedKeyUsage=$usages" "keyUsage=critical,digitalSignature" \
        "basicConstraints=critical,CA:FALSE")
    cat <<YAML
---
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: $secret, namespace: $namespace, labels: {app.kubernetes.io/part-of: dualpath}}
data:
  tls.crt: $(base64 --wrap=0 "$work/tls.crt")
  tls.key: $(base64 --wrap=0 "$work/tls.key")
  ca.crt: $(base64 --wrap=0 "$directory/ca.crt")
YAML
}

# service_names SERVICE: the names of a Service for its clients.
service_names() { printf '%s\n' "$1" "$1.$namespace" "$1.$namespace.svc" "$1.$namespace.svc.cluster.local"; }

# For Prometheus, which connects to the admin ports of all pods by their addresses.
readonly admin="admin.$namespace.svc"

[ -e "$directory/ca.key" ] || make_ca
mapfile -t names < <(service_names ingress)
print_secret ingress-tls serverAuth "${names[@]}" votes.dualpath.example grpc.dualpath.example
print_secret ingress-client-tls clientAuth "ingress-client.$namespace.svc"
for service in ingest-rest bridge; do
    mapfile -t names < <(service_names "$service")
    print_secret "$service-tls" serverAuth "${names[@]}" "split.$namespace.svc" "$admin"
done
for service in ingest-grpc viewer; do
    mapfile -t names < <(service_names "$service")
    print_secret "$service-tls" serverAuth "${names[@]}" "$admin"
done
print_secret consumer-tls serverAuth "$admin"
mapfile -t names < <(service_names redis)
print_secret redis-tls serverAuth "${names[@]}"
# The last name is that of the member of the replica set. MongoDB also connects to itself, as a client with this certificate.
mapfile -t names < <(service_names mongodb)
print_secret mongodb-tls serverAuth,clientAuth "${names[@]}" "mongodb-0.mongodb.$namespace.svc.cluster.local"
for server in "$@"; do
    IFS=, read -ra names <<<"${server#*=}"
    print_secret "${server%%=*}" serverAuth "${names[@]}"
done
