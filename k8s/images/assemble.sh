#!/usr/bin/env bash
# assemble.sh PROGRAM: puts into /image what the image of a program holds: the program, the libraries that it loads, the
# certificate authorities, the licence and an SBOM. No shell, no package manager: they would only serve an intruder.
#
# Runs in the build stage of the Dockerfiles. If /prebuilt has the program, it takes that one; else it builds it.
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly program="$1" image=/image prebuilt=/prebuilt

if [ ! -x "$prebuilt/$program" ]; then
    cargo build --release --locked --package "$program"
    mkdir -p "$prebuilt"
    # Names of functions stay, for what a backtrace says; the lines would be four fifths of the file.
    strip --strip-debug -o "$prebuilt/$program" "target/release/$program"
fi
if [ ! -f "$prebuilt/metadata.json" ]; then
    cargo metadata --locked --format-version 1 --filter-platform x86_64-unknown-linux-gnu >"$prebuilt/metadata.json"
fi

install -D "$prebuilt/$program" "$image/usr/local/bin/$program"
mapfile -t libraries < <(ldd "$prebuilt/$program" | grep -o '/[^ ]*')
for library in "${libraries[@]}"; do
    # Under the name by which it is asked for, whatever that name links to.
    install -D "$(realpath "$library")" "$image$library"
done
install -D --mode=644 /etc/ssl/certs/ca-certificates.crt "$image/etc/ssl/certs/ca-certificates.crt"
install -D --mode=644 LICENSE "$image/usr/share/licenses/$program/LICENSE"
mkdir -p "$image/usr/share/sbom"
python3 k8s/images/sbom.py crates "$program" "$prebuilt/metadata.json" --files "${libraries[@]}" \
    /usr/sbin/update-ca-certificates >"$image/usr/share/sbom/$program.cdx.json"
