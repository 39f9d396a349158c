# A node of the lab cluster: a container runtime, a pod network and a kubelet. cluster.sh sources this file.
# shellcheck shell=bash disable=SC2154 # common.sh sets $run and $nodes

# node_number NODE: prints 2 for lab2.
node_number() { echo "${1#lab}"; }

# A bridge holds the addresses of the nodes, because not every kernel has dummy interfaces.
add_addresses() {
    local node
    ip link show dualpath0 >/dev/null 2>&1 || ip link add dualpath0 type bridge
    for node in "${nodes[@]}"; do ip address replace "10.99.0.$(node_number "$node")/32" dev dualpath0; done
    ip link set dualpath0 up
    sysctl --quiet net.ipv4.ip_forward=1
}

remove_addresses() {
    local node
    ip link delete dualpath0 2>/dev/null || true
    for node in "${nodes[@]}"; do ip link delete "dppods$(node_number "$node")" 2>/dev/null || true; done
}

# Each node has its own bridge and address range. The kernel routes between the bridges.
write_network() {
    local node="$1" n
    n="$(node_number "$node")"
    mkdir -p "$run/$node/cni"
    cat >"$run/$node/cni/10-lab.conflist" <<JSON
{
  "cniVersion": "0.4.0",
  "name": "$node",
  "plugins": [
    {
      "type": "bridge", "bridge": "dppods$n", "isGateway": true, "ipMasq": false, "hairpinMode": true,
      "ipam": {
        "type": "host-local", "dataDir": "$run/$node/ipam",
        "ranges": [[{"subnet": "10.244.$n.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
JSON
}

# enable_unprivileged_ports: CoreDNS listens on port 53 and does not run as root.
# restrict_oom_score_adj: without it every sandbox fails with "can't get final child's PID from pipe: EOF" on machines that
# do not allow a process to lower its OOM score.
write_containerd_config() {
    local node="$1"
    cat >"$run/$node/containerd.toml" <<TOML
version = 2
root = "$run/$node/containerd/root"
state = "$run/$node/containerd/state"
[grpc]
  address = "$run/$node/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  enable_unprivileged_ports = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$run/$node/cni"
TOML
}

# failCgroupV1: this release supports cgroup v1 only with this setting.
# cgroupRoot, podLogsDir: a kubelet deletes unknown cgroups and logs, so the two kubelets must not share these directories.
write_kubelet_config() {
    local node="$1" n
    n="$(node_number "$node")"
    cat >"$run/$node/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 10.99.0.$n
healthzPort: 0
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupRoot: /dualpath-$node
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix://$run/$node/containerd.sock
podLogsDir: $run/$node/pod-logs
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
resolvConf: $run/resolv.conf
evictionHard: {memory.available: 100Mi}
imageGCHighThresholdPercent: 100
# The load generator writes its ledger to the container log.
containerLogMaxSize: 500Mi
YAML
    # Pods of this cluster need no DNS names from outside.
    echo 'nameserver 127.0.0.1' >"$run/resolv.conf"
}

# A kubelet does not create its cgroupRoot.
make_cgroups() {
    awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/mounts | while read -r hierarchy; do mkdir -p "$hierarchy/dualpath-$1"; done
    # In cgroup v1 a new cpuset has no cores and no memory nodes until they are assigned.
    local cpuset=/sys/fs/cgroup/cpuset
    [ -f "$cpuset/cpuset.cpus" ] || return 0
    cat "$cpuset/cpuset.cpus" >"$cpuset/dualpath-$1/cpuset.cpus"
    cat "$cpuset/cpuset.mems" >"$cpuset/dualpath-$1/cpuset.mems"
}

start_node() {
    local node="$1" directory="$run/$1"
    mkdir -p "$directory"/{kubelet,pod-logs}
    write_network "$node"
    write_containerd_config "$node"
    write_kubelet_config "$node"
    make_cgroups "$node"
    start_process "containerd-$node" containerd --config "$directory/containerd.toml"
    wait_for "containerd of $node" 30 ctr --address "$directory/containerd.sock" version
    start_process "kubelet-$node" kubelet --config "$directory/kubelet.yaml" --kubeconfig "$run/$node.kubeconfig" \
        --hostname-override "$node" --node-ip "10.99.0.$(node_number "$node")" --root-dir "$directory/kubelet"
}

# Kills the remaining tasks of the node's containers, stops containerd, and removes mounts and cgroups.
stop_node() {
    local node="$1" task ctr
    ctr=(ctr --address "$run/$node/containerd.sock" --namespace k8s.io)
    for task in $("${ctr[@]}" tasks ls --quiet 2>/dev/null); do
        "${ctr[@]}" tasks kill --signal SIGKILL "$task" >/dev/null 2>&1 || true
    done
    sleep 1
    for task in $("${ctr[@]}" tasks ls --quiet 2>/dev/null); do
        "${ctr[@]}" tasks rm --force "$task" >/dev/null 2>&1 || true
    done
    stop_process "containerd-$node"
    awk -v prefix="$run/$node/" 'index($2, prefix) == 1 { print $2 }' /proc/mounts | sort --reverse \
        | xargs --no-run-if-empty --max-args=1 umount 2>/dev/null || true
    find /sys/fs/cgroup -depth -type d -path "*/dualpath-$node*" -exec rmdir {} + 2>/dev/null || true
}
