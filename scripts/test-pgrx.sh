#!/usr/bin/env bash
# Runs the tests inside the server (cargo pgrx test) against the server of $PG_CONFIG; arguments are passed on.
#
# pgrx installs a test build into the server's directories and starts its own cluster. As root that cluster has to run as
# postgres; as an ordinary user whose server belongs to root, pgrx has to go through sudo for the installation.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root_dir"
require_postgres
pgrx_environment

arguments=("pg$pg_major")
if is_root || ! may_write_server_directories; then
    # Outside target/: the server user must be able to enter it, and its path is also a socket directory (100 bytes).
    pgdata=$(mktemp -d /var/tmp/sop_ml_pgrx.XXXXXX)
    trap 'rm -rf "$pgdata"' EXIT
    if is_root; then chown "$(server_user)" "$pgdata"; fi
    arguments+=(--runas "$(server_user)" --pgdata "$pgdata")
fi
spare_running_servers
export USER=${USER:-$(id -un)}
cargo pgrx test "${arguments[@]}" "$@"
