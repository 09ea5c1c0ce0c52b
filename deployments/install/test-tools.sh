#!/bin/sh
# Installs by apt the real clients that some tests use, only those that are missing. Where there is no apt, those tests are skipped and say so.
set -eu

missing=
for tool in "$@"; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
if [ -z "$missing" ] || ! command -v apt-get >/dev/null 2>&1; then
    exit 0
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "Not installed, so their tests are skipped:$missing"; exit 0; }
    as_root=sudo
fi
echo "Installing what tests use (not found):$missing ..."
$as_root apt-get update -qq
# The packages' services are not started: the tests start what they need.
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing >/dev/null
