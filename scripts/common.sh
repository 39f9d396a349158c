# Functions of the set-up scripts. Source this file from the project's root.
# shellcheck shell=bash

# The scripts that source this file use it.
# shellcheck disable=SC2034
readonly cache="${XDG_CACHE_HOME:-$HOME/.cache}/dualpath"

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "root privileges are required for: $*"
    fi
}

# install_packages PACKAGE...: installs the missing Debian packages.
install_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed \
            || missing+=("$package")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        say "installing ${missing[*]}"
        as_root apt-get update --quiet=2
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}"
    fi
}

# install_python_environment NAME REQUIREMENTS...: creates a virtual environment in the cache, and recreates it when the
# pinned requirements change. The stamp is written last. The lock allows two checkouts to run this at the same time.
install_python_environment() {
    local venv="$cache/$1" stamp requirements=()
    shift
    stamp="$(cat "$@" | sha256sum)"
    if [ "$(cat "$venv/requirements.sha256" 2>/dev/null)" = "$stamp" ]; then return; fi
    say "installing Python packages from $*"
    mkdir -p "$cache"
    for file in "$@"; do requirements+=(--requirement "$file"); done
    (
        flock 9
        if [ "$(cat "$venv/requirements.sha256" 2>/dev/null)" = "$stamp" ]; then exit; fi
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes "${requirements[@]}"
        printf '%s\n' "$stamp" >"$venv/requirements.sha256"
    ) 9>"$venv.lock"
}
