#!/usr/bin/env bash
# Keeps a copy of the compiled dependencies in ${XDG_CACHE_HOME:-~/.cache}/dualpath/build, so that another checkout compiles
# only the crates of the workspace (docs/adr/0030).
#   scripts/build-cache.sh restore       copies them into target/ if this checkout has compiled nothing yet
#   scripts/build-cache.sh save SCOPE    copies them from target/ if the cache lacks them; SCOPE says what was built
# Cargo decides what of a copy is usable: it compares the fingerprint of each unit.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

readonly copies="$cache/build" target=target/release
# A copy of the current and of the previous dependencies: 1 to 2 GB each.
readonly kept=2
# A checkout that has compiled many versions has the dependencies of all. A copy of them would fill the disk.
readonly max_kib=$((8 * 1024 * 1024))

# The inputs of the compilation of dependencies.
key() { { rustc --version --verbose; cat Cargo.lock Cargo.toml; } | sha256sum | cut --characters=1-16; }

# Prints tar's patterns of the files that belong to the crates of the workspace, and of all linked programs.
own_files() {
    local hash package
    hash="$(printf '[0-9a-f]%.0s' {1..16})"
    echo "deps/*-$hash"
    cargo tree --locked --offline --workspace --depth 0 --prefix none --format '{p}' | cut --delimiter=' ' --fields=1 | sort --unique \
        | while read -r package; do
            echo "*/$package-$hash"
            echo "deps/lib${package//-/_}-$hash.*"
            echo "deps/${package//-/_}-$hash.*"
        done
}

newest_first() { ls -d --sort=time "$copies"/*/ 2>/dev/null || true; }

restore() {
    local copy
    if [ -e "$target/.fingerprint" ] || [ ! -d "$copies" ]; then return; fi
    exec 9>"$copies.lock"
    flock --shared 9
    copy="$copies/$(key)"
    # Most dependencies of another version of this project are usable, too.
    if [ ! -d "$copy" ]; then copy="$(newest_first | head -1)"; fi
    if [ -z "$copy" ]; then return; fi
    say "copying compiled dependencies from ${copy%/*}"
    mkdir -p "$target"
    # The directory that shows that something was compiled comes last.
    cp --archive --reflink=auto "$copy/deps" "$copy/build" "$target"
    cp --archive --reflink=auto "$copy/.fingerprint" "$target"
}

save() {
    local copy staging scope="$1"
    copy="$copies/$(key)"
    if [ -e "$copy/$scope" ] || [ -e "$copy/dev" ]; then return; fi
    if (($(du --summarize --block-size=1K "$target/deps" | cut --fields=1) > max_kib)); then return; fi
    mkdir -p "$copies"
    exec 9>"$copies.lock"
    flock 9
    rm -rf "$copies"/.staging
    staging="$copies/.staging"
    mkdir "$staging"
    # This format keeps the nanoseconds of times, which cargo compares.
    tar --create --format=posix --directory "$target" --exclude-from=<(own_files) deps build .fingerprint \
        | tar --extract --directory "$staging"
    touch "$staging/$scope"
    rm -rf "$copy"
    mv "$staging" "$copy"
    newest_first | tail --lines=+$((kept + 1)) | xargs --no-run-if-empty rm -rf
}

case "${1:-}" in
    restore) restore ;;
    save) save "$2" ;;
    *) die "unknown command '${1:-}': restore or save" ;;
esac
