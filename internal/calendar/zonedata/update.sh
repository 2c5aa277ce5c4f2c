#!/bin/sh
# Takes the zone data of the Go toolchain in use: the archive, and beside it the
# version that the toolchain names and the checksum that ties the two together.
set -eu
cd "$(dirname "$0")"
from="$(go env GOROOT)/lib/time"
version=$(sed -n 's/^DATA=//p' "$from/update.bash")
test -n "$version" || { echo "no DATA= line in $from/update.bash; write VERSION by hand" >&2; exit 1; }
cp "$from/zoneinfo.zip" zoneinfo.zip
printf '%s %s\n' "$version" "$(sha256sum zoneinfo.zip | cut -d' ' -f1)" >VERSION
cat VERSION
