#!/usr/bin/env bash
# Fills /image with the files of a program's image: the program, its shared libraries, the certificate authorities, the
# licence and an SBOM. There is no shell and no package manager: the program needs neither, and an attacker could use them.
#
#   assemble.sh PROGRAM
#
# Runs in the build stage of the Dockerfile. Takes the program from /prebuilt if it is there; otherwise builds it.
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly program="${1:?missing program name: add --build-arg PROGRAM=NAME}" image=/image prebuilt=/prebuilt

if [ ! -x "$prebuilt/$program" ]; then
    cargo build --release --locked --package "$program"
    mkdir -p "$prebuilt"
    # Keep function names for backtraces; line numbers would be four fifths of the file.
    strip --strip-debug -o "$prebuilt/$program" "target/release/$program"
fi
if [ ! -f "$prebuilt/metadata.json" ]; then
    cargo metadata --locked --format-version 1 --filter-platform x86_64-unknown-linux-gnu >"$prebuilt/metadata.json"
fi

install -D "$prebuilt/$program" "$image/usr/local/bin/$program"
mapfile -t libraries < <(ldd "$prebuilt/$program" | grep -o '/[^ ]*')
for library in "${libraries[@]}"; do
    # The dynamic linker looks up this path, even where it is a symbolic link.
    install -D "$(realpath "$library")" "$image$library"
done
install -D --mode=644 /etc/ssl/certs/ca-certificates.crt "$image/etc/ssl/certs/ca-certificates.crt"
install -D --mode=644 LICENSE "$image/usr/share/licenses/$program/LICENSE"
mkdir -p "$image/usr/share/sbom"
python3 k8s/images/sbom.py crates "$program" "$prebuilt/metadata.json" --files "${libraries[@]}" \
    /usr/sbin/update-ca-certificates >"$image/usr/share/sbom/$program.cdx.json"
