#!/usr/bin/env bash
# Fills /image with the files that the load generator's image adds to Python: the packages, the user classes, the vote
# files and an SBOM.
#
# Runs in the build stage of locust/Dockerfile. Takes the packages from /prebuilt if they are there; otherwise installs them.
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly image=/image prebuilt=/prebuilt/locust

if [ ! -d "$prebuilt" ]; then
    python3 -m pip install --quiet --no-cache-dir --require-hashes --target "$prebuilt" --requirement locust/requirements.txt
fi
mkdir -p "$image/opt/locust" "$image/usr/share/sbom"
cp -r "$prebuilt" "$image/opt/locust/packages"
cp -r locust/locustfile.py locust/dualpath_locust locust/votes "$image/opt/locust/"
install -D --mode=644 LICENSE "$image/usr/share/licenses/locust/LICENSE"
python3 k8s/images/sbom.py packages locust "$prebuilt" >"$image/usr/share/sbom/locust.cdx.json"
