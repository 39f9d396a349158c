#!/usr/bin/env bash
# Builds images without a registry, from compiled programs and from the packages that `lab fetch` keeps in the cache.
#
#   images.sh system     pause, CoreDNS, metrics-server, KEDA  -> CACHE/k8s-images/system.tar
#   images.sh knative    Knative Serving                       -> CACHE/k8s-images/knative.tar
#   images.sh cert-manager                                     -> CACHE/k8s-images/cert-manager.tar
#   images.sh project    the project's programs and its stores -> CACHE/k8s-images/project.tar
#
# `cluster.sh load` loads an archive into the cluster. The base image is a Debian made by mmdebstrap.
set -euo pipefail
# shellcheck source=k8s/lab/common.sh
. "$(dirname "$0")/common.sh"
readonly archives="$cache/k8s-images"
readonly system=(pause coredns metrics-server keda-operator keda-adapter)
readonly base=localhost/dualpath/base:12 builder=localhost/dualpath/builder:local
work="$(mktemp -d)"
started_docker=
trap 'finish' EXIT

finish() {
    rm -rf "$work"
    if [ -n "$started_docker" ]; then
        kill "$started_docker" 2>/dev/null || true
        wait "$started_docker" 2>/dev/null || true
    fi
}

# Starts Docker unless it runs. Its networks are off, because their iptables rules would block traffic between pods.
start_docker() {
    docker info >/dev/null 2>&1 && return
    mkdir -p "$archives"
    dockerd --iptables=false --bridge=none >"$archives/dockerd.log" 2>&1 &
    started_docker=$!
    wait_for "Docker (see $archives/dockerd.log)" 30 docker info
}

# build IMAGE OPTION... CONTEXT: builds an image and shows Docker's output only on failure. No stage needs a network.
build() {
    local image="$1"
    shift
    say "building $image"
    docker build --network none --tag "$image" "$@" >"$work/build.log" 2>&1 || {
        cat "$work/build.log" >&2
        die "building $image failed"
    }
}

# save FILE IMAGE...: writes an archive. The rename makes sure that FILE is never incomplete.
save() {
    local file="$1"
    shift
    docker save --output "$file.new" "$@"
    mv "$file.new" "$file"
}

# program_images ARCHIVE NAME...: builds an image of each program in $bin, and of the program `pause`, and saves them.
program_images() {
    local archive="$1" name entry made=()
    shift
    for name in "$@"; do
        mkdir -p "$work/$name"
        if [ "$name" = pause ]; then
            printf '#include <unistd.h>\nint main(void) { for (;;) pause(); }\n' | gcc -x c -static -Os -o "$work/pause/pause" -
        else
            ln "$bin/$name" "$work/$name/" 2>/dev/null || cp "$bin/$name" "$work/$name/"
        fi
        # KEDA's manifests call the operator `keda`.
        entry="${name/#keda-operator/keda}"
        printf 'FROM scratch\nCOPY %s /%s\nUSER 65532:65532\nENTRYPOINT ["/%s"]\n' "$name" "$entry" "$entry" \
            >"$work/$name/Dockerfile"
        build "localhost/$name:1" "$work/$name"
        made+=("localhost/$name:1")
    done
    save "$archives/$archive" "${made[@]}"
}

# A small Debian with Java, Python and the shared libraries of the servers.
base_image() {
    docker image inspect "$base" >/dev/null 2>&1 && return
    say "making the base image"
    mmdebstrap --quiet --variant=minbase \
        --include=ca-certificates,python3,openjdk-17-jre-headless,libcurl4,libssl3,libatomic1,libjemalloc2,liblzf1,libsystemd0 \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        bookworm "$work/base.tar"
    docker import "$work/base.tar" "$base" >/dev/null
    rm "$work/base.tar"
}

# The build stage of the project's Dockerfiles: the base image with the finished programs in /prebuilt.
builder_image() {
    local context="$work/builder" program
    mkdir -p "$context/prebuilt"
    for program in ingest-rest ingest-grpc consumer viewer; do
        [ -x "$root/target/release/$program" ] || die "$program is not built: cargo build --release --workspace"
        strip --strip-debug -o "$context/prebuilt/$program" "$root/target/release/$program"
    done
    (cd "$root" && cargo metadata --locked --offline --format-version 1 --filter-platform x86_64-unknown-linux-gnu) \
        >"$context/prebuilt/metadata.json"
    [ -e "$root/viewer/web/dist/index.html" ] || die "the viewer's web page is not built: scripts/web.sh build"
    cp -r "$root/viewer/web/dist" "$context/prebuilt/viewer-web"
    # The virtual environment has the packages that requirements.txt pins, and its own installers, which are not needed.
    cp -r "$cache"/venv/lib/python3.*/site-packages "$context/prebuilt/locust"
    rm -rf "$context"/prebuilt/locust/{pip,setuptools,pkg_resources,_distutils_hack}* "$context"/prebuilt/locust/distutils-precedence.pth
    printf 'FROM %s\nCOPY prebuilt /prebuilt\n' "$base" >"$context/Dockerfile"
    build "$builder" "$context"
}

project_images() {
    local name
    for name in ingest-rest ingest-grpc consumer viewer; do
        build "localhost/dualpath/$name:0.1.0" --build-arg BUILDER="$builder" --build-arg WEB_BUILDER="$builder" \
            --build-arg PROGRAM="$name" --target "$name" "$root"
    done
    build localhost/dualpath/locust:0.1.0 --build-arg BUILDER="$builder" --build-arg PYTHON="$base" \
        --file "$root/locust/Dockerfile" "$root"
}

# server_image NAME:TAG DIRECTORY LINE...: builds a server's image from a directory that `lab fetch` filled.
server_image() {
    local image="$1" directory="$2"
    shift 2
    printf '%s\n' "FROM $base" "$@" >"$work/Dockerfile"
    build "localhost/dualpath/$image" --file "$work/Dockerfile" "$directory"
}

server_images() {
    mkdir -p "$work/kafka"
    cp -r "$cache/kafka-4.3.1" "$work/kafka/libs"
    cp -r "$here/kafka" "$work/kafka/bin"
    cp -r "$cache/mongodb-6.0.5" "$work/mongodb"
    cp "$here/mongodb/mongosh" "$work/mongodb/"
    server_image kafka:4.3.1 "$work/kafka" 'COPY . /opt/kafka/' 'USER 1000:1000'
    server_image redis:7.0 "$cache/redis-7.0" 'COPY usr /usr' 'USER 999:999'
    server_image mongodb:6.0.5 "$work/mongodb" 'COPY mongod mongosh /usr/local/bin/' 'USER 999:999'
    server_image prometheus:2.42 "$cache/prometheus-2.42" 'COPY usr/bin/prometheus /usr/local/bin/' 'USER 65534:65534'
    server_image traefik:3.7.15 "$cache/traefik-3.7.15" 'COPY traefik /usr/local/bin/' 'USER 65532:65532'
}

mkdir -p "$archives"
case "${1:-}" in
    system)
        start_docker
        program_images system.tar "${system[@]}"
        ;;
    knative)
        start_docker
        program_images knative.tar "${knative_programs[@]}"
        ;;
    cert-manager)
        start_docker
        program_images cert-manager.tar "${cert_manager_programs[@]}"
        ;;
    project)
        start_docker
        base_image
        builder_image
        project_images
        server_images
        save "$archives/project.tar" localhost/dualpath/{ingest-rest,ingest-grpc,consumer,viewer,locust}:0.1.0 \
            localhost/dualpath/{kafka:4.3.1,redis:7.0,mongodb:6.0.5,prometheus:2.42,traefik:3.7.15}
        ;;
    *) sed -n '2,9p' "$0"; exit 64 ;;
esac
