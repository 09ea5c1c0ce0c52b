#!/bin/sh
# Installs PostgreSQL's server binaries by apt, only if none are found. PiCloud runs them itself, as a private cluster: the package's own cluster and service are
# not made (an existing one is left alone).
set -eu

found() {
    command -v initdb >/dev/null 2>&1 && command -v postgres >/dev/null 2>&1 && return 0
    for bin in /usr/lib/postgresql/*/bin; do
        [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && return 0
    done
    return 1
}

if found || [ -n "${DATABASE_URL:-}" ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "No PostgreSQL server binaries found, and no apt-get to install them with: picloud will fetch its own, or set DATABASE_URL." >&2
    exit 0
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "PostgreSQL is missing. Install it as root: apt-get install postgresql" >&2; exit 1; }
    as_root=sudo
fi
echo "Installing PostgreSQL's server binaries (none found) ..."
$as_root apt-get update -qq
$as_root mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" | $as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null
found || { echo "PostgreSQL was installed, and its binaries are still not found." >&2; exit 1; }
