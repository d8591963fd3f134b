#!/usr/bin/env bash
# Mode vault beside the closed hypertable behind it, in a throw-away server with TimescaleDB, where the server has its Community edition.
#
#   ROWS   how many readings (default 10 million)
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root_dir"
require_postgres

library=$("$PG_CONFIG" --pkglibdir)/timescaledb.so
[ -e "$library" ] && compgen -G "$("$PG_CONFIG" --pkglibdir)/timescaledb-tsl-*.so" >/dev/null || {
    say "SKIPPED: this server has no TimescaleDB of the Community edition"
    exit
}
cluster=$target_dir/bench-vault
trap 'scripts/cluster.sh stop "$cluster"' EXIT
scripts/cluster.sh stop "$cluster" >/dev/null
scripts/cluster.sh start "$cluster" shared_preload_libraries=timescaledb timescaledb.telemetry_level=off max_worker_processes=20 \
    shared_buffers=1GB max_wal_size=4GB max_locks_per_transaction=256 >/dev/null
eval "$(scripts/cluster.sh env "$cluster")"
"$pg_bin/createdb" bench
"$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -d bench -c 'CREATE EXTENSION sop_ml'
"$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -P footer=off -v rows="${ROWS:-10000000}" -d bench -f bench/vault/vault.sql
