#!/usr/bin/env bash
# Measures: the criterion benches of bench/, then every file of bench/sql in a throw-away server with the installed
# extension. State the machine with every figure that is quoted from here.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root_dir"
require_postgres

say "== Machine: $(nproc) cores, $(awk '/MemTotal/ { printf "%.1f GB", $2 / 1048576 }' /proc/meminfo), load $(cut -d' ' -f1 /proc/loadavg), $("$PG_CONFIG" --version)"
# The peers that bench/sql/sketches.sql measures beside us; it says "not installed" where they are missing.
for peer in "postgresql-$pg_major-hll" "postgresql-$pg_major-tdigest"; do
    if is_root && have apt-get && ! dpkg -s "$peer" >/dev/null 2>&1; then
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$peer" >/dev/null 2>&1 ||
            warn "$peer could not be installed; it is left out"
    fi
done
say "== criterion"
scripts/cargo.sh bench --package sop-ml-bench

shopt -s nullglob
files=(bench/sql/*.sql)
[ ${#files[@]} -gt 0 ] || {
    say "== bench/sql holds no files"
    exit
}
cluster=$target_dir/bench
trap 'scripts/cluster.sh stop "$cluster"' EXIT
scripts/cluster.sh stop "$cluster" >/dev/null
scripts/cluster.sh start "$cluster" shared_buffers=512MB max_wal_size=4GB >/dev/null
eval "$(scripts/cluster.sh env "$cluster")"
status=0
for file in "${files[@]}"; do
    name=$(basename "$file" .sql)
    say "== bench/sql/$name.sql"
    "$pg_bin/createdb" "bench_$name"
    { "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -d "bench_$name" -c 'CREATE EXTENSION sop_ml' &&
        "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -P footer=off -d "bench_$name" -f "$file"; } || status=1
    "$pg_bin/dropdb" "bench_$name"
done
say "== bench/vault"
scripts/bench-vault.sh || status=1
say "== bench/pgbench"
scripts/bench-ingest.sh || status=1
exit $status
