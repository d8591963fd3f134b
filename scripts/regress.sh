#!/usr/bin/env bash
# Golden SQL: runs tests/pg_regress/sql/*.sql in name order, each in the same fresh database that has the extension, and
# compares with tests/pg_regress/expected/*.out. The extension must be installed (make install).
#
#   regress.sh [NAME …]        only these tests, in a throw-away cluster
#   regress.sh --running …     in the running server of PGHOST, PGPORT, PGUSER instead
#   regress.sh --accept …      replace the expected files by what the server answered: read the diff before you commit it
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root_dir"
require_postgres

running=0 accept=0
while [[ ${1:-} == --* ]]; do
    case $1 in
        --running) running=1 ;;
        --accept) accept=1 ;;
        *) die "unknown option $1" ;;
    esac
    shift
done
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for file in tests/pg_regress/sql/*.sql; do
        [ -e "$file" ] || die "no tests in tests/pg_regress/sql"
        names+=("$(basename "$file" .sql)")
    done
fi

pg_regress=$("$PG_CONFIG" --pkglibdir)/pgxs/src/test/regress/pg_regress
[ -x "$pg_regress" ] || die "$pg_regress is missing: install postgresql-server-dev-$pg_major"
output=$target_dir/regress
rm -rf "$output"
mkdir -p "$output"

for name in "${names[@]}"; do
    [ -f "tests/pg_regress/sql/$name.sql" ] || die "no test tests/pg_regress/sql/$name.sql"
    [ ! -e "tests/pg_regress/expected/$name.out" ] || continue
    # pg_regress stops at a missing expected file.
    [ "$accept" = 1 ] || die "tests/pg_regress/expected/$name.out is missing; scripts/regress.sh --accept $name makes it"
    mkdir -p tests/pg_regress/expected
    touch "tests/pg_regress/expected/$name.out"
done

database=sop_ml_regress
if [ "$running" = 1 ]; then
    psql() { "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 "$@"; }
    trap 'psql -d postgres -c "DROP DATABASE IF EXISTS $database"' EXIT
else
    cluster=$output/cluster
    trap 'scripts/cluster.sh stop "$cluster"' EXIT
    scripts/cluster.sh start "$cluster" fsync=off >/dev/null
    eval "$(scripts/cluster.sh env "$cluster")"
    psql() { "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 "$@"; }
fi
[ "$running" = 0 ] || psql -d postgres -c "DROP DATABASE IF EXISTS $database"
psql -d postgres -c "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"
psql -d "$database" -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION sop_ml'

# pg_regress overrides date style and zone; the expected files are written in ISO dates.
status=0
"$pg_regress" --use-existing --dbname="$database" --bindir="$pg_bin" --inputdir=tests/pg_regress --outputdir="$output" \
    --launcher='env PGDATESTYLE=ISO,MDY PGTZ=UTC' ${PGHOST:+--host="$PGHOST"} ${PGPORT:+--port="$PGPORT"} \
    ${PGUSER:+--user="$PGUSER"} "${names[@]}" || status=$?

if [ "$accept" = 1 ]; then
    for name in "${names[@]}"; do cp "$output/results/$name.out" tests/pg_regress/expected/; done
    say "tests/pg_regress/expected now holds what the server answered; review it with git diff."
elif [ $status -ne 0 ] && [ -s "$output/regression.diffs" ]; then
    say "== Differences (first 400 lines of $output/regression.diffs)"
    head -n 400 "$output/regression.diffs"
fi
exit $status
