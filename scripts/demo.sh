#!/usr/bin/env bash
# The demo: builds and installs the extension, starts a throw-away server under target/demo, loads the demo data, does the
# nightly run of the data's last day and shows what came out.
#
#   demo.sh start    replaces an earlier demo
#   demo.sh stop     stops and removes it
#
#   PROFILE=dev      builds faster, runs slower
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root_dir"
cluster=$target_dir/demo
database=sop_ml_demo

stop() {
    scripts/cluster.sh stop "$cluster"
}
case ${1:-} in
    start) ;;
    stop)
        stop
        say "The demo is removed."
        exit
        ;;
    *) die "usage: demo.sh start|stop" ;;
esac

require_postgres
stages=()
seconds=()
number=0
stage() { # TITLE COMMAND…
    local title=$1 started=${EPOCHREALTIME/./} elapsed
    shift
    number=$((number + 1))
    say ""
    say "[$number/8] $title"
    "$@"
    elapsed=$((${EPOCHREALTIME/./} - started))
    stages+=("$title")
    seconds+=("$(printf '%d.%01d' $((elapsed / 1000000)) $((elapsed / 100000 % 10)))")
    say "      done in ${seconds[-1]} s"
}
psql() { "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -d "$database" "$@"; }

profile=${PROFILE:-release}
case $profile in
    dev) program=$target_dir/debug/sop-ml-demo ;;
    *) program=$target_dir/$profile/sop-ml-demo ;;
esac

build() {
    scripts/install.sh
    scripts/cargo.sh build --package sop-ml-demo --profile "$profile"
}
start_server() {
    # Room for the load; everything else as a fresh server has it, so that the times below mean something.
    scripts/cluster.sh start "$cluster" shared_buffers=256MB max_wal_size=2GB log_min_duration_statement=1000 >/dev/null
    eval "$(scripts/cluster.sh env "$cluster")"
    say "      $("$PG_CONFIG" --version) in $cluster, port $PGPORT, socket $PGHOST"
}
create_extension() {
    "$pg_bin/createdb" --template template0 --encoding UTF8 "$database"
    psql -c 'CREATE EXTENSION sop_ml'
    psql -At -c "SELECT '      ' || count(*) || ' tables and ' || (SELECT count(*) FROM pg_catalog.pg_proc WHERE pronamespace = 'sop_ml'::regnamespace)
        || ' functions in schema sop_ml' FROM pg_catalog.pg_class WHERE relnamespace = 'sop_ml'::regnamespace AND relkind IN ('r', 'p')"
}
load() { # SUBCOMMAND of the data program: it writes a psql script with COPY blocks
    "$program" "$1" | psql -o /dev/null
}
nightly() {
    psql -v day="$day" -P footer=off -P null='' <<'SQL'
SET client_min_messages = warning;
-- The planner knows nothing yet about what was just loaded.
VACUUM ANALYZE;
SELECT step, restaurants, rows_in, rows_out, round(elapsed_ms)::bigint AS elapsed_ms, status, detail
  FROM sop_ml.run_daily_ml_aggregation(NULL, :'day');
SQL
}
late_rows() {
    load late
    nightly
}
report() {
    psql -v day="$day" -P null='' -f demo/report.sql
}

total_started=$SECONDS
# Before the installation: a library must not change under a server that has it loaded.
[ ! -f "$cluster/cluster" ] || say "Removing the earlier demo."
stop >/dev/null
stage "Build ($profile) and install the extension" build
day=$("$program" last-day)
stage "Start a throw-away server" start_server
stage "CREATE EXTENSION sop_ml" create_extension
stage "Load generated data: 5 restaurants, 120 days" load generate
stage "Load real data: inspections, deliveries, orders" load real
stage "Nightly run for $day: SELECT * FROM sop_ml.run_daily_ml_aggregation(NULL, '$day')" nightly
stage "Late rows arrive; the run is repeated and picks them up" late_rows
stage "Results" report

say ""
say "Times:"
for i in "${!stages[@]}"; do printf '  %8s s  %s\n' "${seconds[i]}" "${stages[i]}"; done
say "  $(printf '%8s' "$((SECONDS - total_started))") s  altogether"
say ""
say "Look further:"
say "  $pg_bin/psql -h $PGHOST -p $PGPORT -U postgres $database"
say "Stop and remove it:"
say "  make demo-stop"
