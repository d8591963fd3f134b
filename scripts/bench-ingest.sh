#!/usr/bin/env bash
# Measures how fast readings are taken: ingest_observations() in batches of 1,000, multi-row INSERTs of 1,000 and of 100, each
# beside the same INSERT into a plain table, with 4 clients, on a server that waits for its disk (fsync = on). The bars:
# 50,000 rows/s and 10,000 rows/s.
#
#   SECONDS_EACH   how long each is measured (default 20)
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root_dir"
require_postgres

clients=4
seconds=${SECONDS_EACH:-20}
cluster=$target_dir/bench-ingest
trap 'scripts/cluster.sh stop "$cluster"' EXIT
scripts/cluster.sh stop "$cluster" >/dev/null
scripts/cluster.sh start "$cluster" shared_buffers=512MB max_wal_size=4GB fsync=on synchronous_commit=on full_page_writes=on >/dev/null
eval "$(scripts/cluster.sh env "$cluster")"
"$pg_bin/createdb" bench
"$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -d bench -c 'CREATE EXTENSION sop_ml' -f bench/pgbench/setup.sql >/dev/null

# measure FILE ROWS → rows per second
measure() {
    local rate
    rate=$(PGUSER=bench_ingest "$pg_bin/pgbench" -n -M prepared -c "$clients" -j 2 -T "$seconds" -D n=0 -D rows="$2" \
        -f "bench/pgbench/$1.sql" bench | sed -nE 's/^tps = ([0-9.]+) .*/\1/p')
    [ -n "$rate" ] || die "pgbench printed no rate for $1"
    awk -v rate="$rate" -v rows="$2" 'BEGIN { printf "%d", rate * rows }'
}

say "$clients clients, $seconds s each, fsync $("$pg_bin/psql" -X -A -t -d bench -c 'SHOW fsync')"
printf '%-44s %12s\n' 'what' 'rows/s'
for rows in 1000 100; do
    names=(insert plain_insert)
    [ "$rows" != 1000 ] || names=(ingest_observations "${names[@]}")
    for name in "${names[@]}"; do
        "$pg_bin/psql" -X -q -d bench -c "DELETE FROM sop_ml.sop_time_series_data" -c 'TRUNCATE public.plain_readings, sop_ml_storage.dirty_buckets' \
            -c 'VACUUM (FREEZE) sop_ml.sop_time_series_data' -c CHECKPOINT
        rate=$(measure "$name" "$rows")
        printf '%-44s %12s\n' "$name, $rows rows each" "$rate"
    done
done
