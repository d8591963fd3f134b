#!/usr/bin/env bash
# Three months of ten restaurants at full volume: loaded, rolled up, asked for and archived, in a throw-away server.
#
#   SHARE   0.1 for a tenth (default 1: 44 million rows, about 25 GB)
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root_dir"
require_postgres

cluster=$target_dir/bench-volume
trap 'scripts/cluster.sh stop "$cluster"' EXIT
scripts/cluster.sh stop "$cluster" >/dev/null
scripts/cluster.sh start "$cluster" shared_buffers=1GB max_wal_size=8GB maintenance_work_mem=256MB >/dev/null
eval "$(scripts/cluster.sh env "$cluster")"
"$pg_bin/createdb" bench
"$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -d bench -c 'CREATE EXTENSION sop_ml'
say "== Machine: $(nproc) cores, $(awk '/MemTotal/ { printf "%.1f GB", $2 / 1048576 }' /proc/meminfo), load $(cut -d' ' -f1 /proc/loadavg), $("$PG_CONFIG" --version)"
"$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -P footer=off -v share="${SHARE:-1}" -d bench -f bench/volume/volume.sql
