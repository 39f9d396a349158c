#!/usr/bin/env bash
# Runs a real Kubernetes on a Debian 12 machine that can reach only package registries: a control plane, two kubelets with
# one containerd each, kube-proxy, CoreDNS and metrics-server. It pulls no image; images.sh builds them all.
#
#   cluster.sh up               start the cluster (run build.sh first); takes about a minute
#   cluster.sh load ARCHIVE...  load archives of `docker save` into both nodes
#   cluster.sh env              print the environment variables for kubectl, for `eval`
#   cluster.sh down             stop all processes of the cluster, unmount, remove all state
#
# Needs root. The cluster listens only on its own bridges (10.99.0.0/24, 10.244.0.0/16, 10.96.0.0/16).
#
# Both nodes share the kernel of the machine. Each node has its own kubelet, container runtime and pod network, so a node
# can be drained. Each node reports all cores of the machine.
set -euo pipefail
# shellcheck source=k8s/lab/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=k8s/lab/node.sh
. "$here/node.sh"

# write_kubeconfig FILE TOKEN
write_kubeconfig() {
    cat >"$1" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "https://$api_address:6443", insecure-skip-tls-verify: true}}]
users: [{name: user, user: {token: $2}}]
contexts: [{name: lab, context: {cluster: lab, user: user}}]
current-context: lab
YAML
    chmod 600 "$1"
}

write_credentials() {
    local token node
    openssl genrsa -out pki/sa.key 2048 2>/dev/null
    openssl rsa -in pki/sa.key -pubout -out pki/sa.pub 2>/dev/null
    # The aggregation layer authenticates to metrics-server with this certificate.
    {
        openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=front-ca -keyout pki/front.key -out pki/front.crt
        openssl req -newkey rsa:2048 -nodes -subj /CN=front-proxy -keyout pki/proxy.key -out pki/proxy.csr
        openssl x509 -req -days 30 -in pki/proxy.csr -CA pki/front.crt -CAkey pki/front.key -CAcreateserial -out pki/proxy.crt
    } 2>/dev/null
    token="$(openssl rand -hex 16)"
    printf '%s,admin,admin,system:masters\n' "$token" >tokens.csv
    write_kubeconfig admin.kubeconfig "$token"
    for node in "${nodes[@]}"; do
        token="$(openssl rand -hex 16)"
        printf '%s,system:node:%s,%s,system:nodes\n' "$token" "$node" "$node" >>tokens.csv
        write_kubeconfig "$node.kubeconfig" "$token"
    done
    chmod 600 tokens.csv
}

start_control_plane() {
    start_process etcd etcd --data-dir "$run/etcd" --unsafe-no-fsync --listen-client-urls http://127.0.0.1:23790 \
        --advertise-client-urls http://127.0.0.1:23790 --listen-peer-urls http://127.0.0.1:23800 \
        --initial-advertise-peer-urls http://127.0.0.1:23800 --initial-cluster default=http://127.0.0.1:23800
    start_process apiserver kube-apiserver --etcd-servers=http://127.0.0.1:23790 --cert-dir="$run/pki" \
        --token-auth-file=tokens.csv --authorization-mode=Node,RBAC \
        --service-account-key-file=pki/sa.pub --service-account-signing-key-file=pki/sa.key \
        --service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range=10.96.0.0/16 \
        --bind-address="$api_address" --secure-port=6443 --advertise-address="$api_address" --allow-privileged=true \
        --kubelet-preferred-address-types=InternalIP --requestheader-client-ca-file=pki/front.crt \
        --requestheader-allowed-names=front-proxy --requestheader-username-headers=X-Remote-User \
        --requestheader-group-headers=X-Remote-Group --requestheader-extra-headers-prefix=X-Remote-Extra- \
        --proxy-client-cert-file=pki/proxy.crt --proxy-client-key-file=pki/proxy.key --enable-aggregator-routing=true
    wait_for "the API server" 120 kubectl get --raw /readyz
    # The autoscaler syncs every 5 s instead of 15 s to shorten the tests.
    start_process controller-manager kube-controller-manager --kubeconfig admin.kubeconfig \
        --service-account-private-key-file=pki/sa.key --use-service-account-credentials=true --leader-elect=false \
        --root-ca-file="$run/pki/apiserver.crt" --horizontal-pod-autoscaler-sync-period=5s
    start_process scheduler kube-scheduler --kubeconfig admin.kubeconfig --leader-elect=false
    # One kube-proxy serves both nodes, because they share the kernel's iptables.
    start_process proxy kube-proxy --kubeconfig admin.kubeconfig --cluster-cidr=10.244.0.0/16 \
        --hostname-override "${nodes[0]}" --proxy-mode iptables
}

up() {
    [ ! -e "$run/pid" ] || die "the cluster runs, or was not stopped properly: run \`$0 down\` first"
    [ -x "$bin/metrics-server" ] || die "the programs are missing: run $here/build.sh first"
    mkdir -p "$run"/{pki,etcd,volumes}
    # The stores run as different users, so their volumes are writable by all. The lab machine has no other users.
    install -d -m 777 "$run"/volumes/{kafka,redis,mongodb}
    cd "$run"
    add_addresses
    write_credentials
    start_control_plane
    local node
    for node in "${nodes[@]}"; do start_node "$node"; done
    "$here/images.sh" system
    load "$cache/k8s-images/system.tar"
    kubectl apply --filename "$here/addons.yaml" >/dev/null
    wait_for "nodes" 90 kubectl wait --for=condition=Ready node --all --timeout=2s
    kubectl --namespace kube-system rollout status deployment/coredns --timeout=90s
    kubectl --namespace kube-system rollout status deployment/metrics-server --timeout=90s
    print_env
}

print_env() { echo "export KUBECONFIG=$KUBECONFIG PATH=$bin:\$PATH"; }

load() {
    local node archive
    for archive in "$@"; do
        for node in "${nodes[@]}"; do
            ctr --address "$run/$node/containerd.sock" --namespace k8s.io images import "$archive" >/dev/null
        done
    done
}

down() {
    [ -d "$run" ] || return 0
    kubectl delete pods --all --all-namespaces --grace-period=0 --force --request-timeout=20s >/dev/null 2>&1 || true
    local node name
    for node in "${nodes[@]}"; do stop_process "kubelet-$node"; done
    for name in proxy scheduler controller-manager apiserver etcd; do stop_process "$name"; done
    for node in "${nodes[@]}"; do stop_node "$node"; done
    # The rules of the Services are in the kernel of the machine and outlive kube-proxy.
    kube-proxy --cleanup >/dev/null 2>&1 || true
    remove_addresses
    rm -rf "$run"
}

[ "$(id -u)" -eq 0 ] || die "root privileges are required"
case "${1:-}" in
    up) up ;;
    load) shift; load "$@" ;;
    env) print_env ;;
    down) down ;;
    *) sed -n '2,9p' "$0"; exit 64 ;;
esac
