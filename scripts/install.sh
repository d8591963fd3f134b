#!/usr/bin/env bash
# Builds the extension and installs it into the server of $PG_CONFIG; through sudo where the server's directories are not
# writable. A running server is not restarted: connections made afterwards load the new library.
#
#   PROFILE   release (default) or dev
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root_dir"
require_postgres
pgrx_environment

arguments=(--pg-config "$PG_CONFIG")
case ${PROFILE:-release} in
    release) arguments+=(--release) ;;
    dev) ;;
    *) arguments+=(--profile "$PROFILE") ;;
esac
may_write_server_directories || arguments+=(--sudo)
spare_running_servers
say "== cargo pgrx install ${arguments[*]}"
cargo pgrx install "${arguments[@]}"
