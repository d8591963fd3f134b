#!/usr/bin/env bash
# pgspot over everything that runs with an installer's rights: the extension script, which pgrx generates, and the files that
# install() runs. No finding is ignored.
#
#   lint-pgspot.sh           lint; SQL=FILE lints that extension script instead of generating it
#   lint-pgspot.sh prepare   install pgspot into target/pgspot (scripts/setup.sh does it)
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root_dir"

packages=(pgspot==0.9.4 pglast==7.21)
environment=$target_dir/pgspot
pgspot=$environment/bin/pgspot

is_ready() { [ -x "$pgspot" ] && [ "$(cat "$environment/packages" 2>/dev/null)" = "${packages[*]}" ]; }

prepare() {
    is_ready && return
    rm -rf "$environment"
    mkdir -p "$target_dir"
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
    printf '%s' "${packages[*]}" >"$environment/packages"
}

case ${1:-} in
    prepare)
        prepare
        exit
        ;;
    '') ;;
    *) die "lint-pgspot.sh takes prepare or nothing, not $1" ;;
esac
is_ready || die "${packages[*]} is not in $environment; run 'make setup'"
require_postgres
pgrx_environment

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What pgspot cannot know: CREATE EXTENSION makes the schema and looks names up there; install() pins its search_path. That
# a schema which exists already holds nothing of other roles is what install() asks first (sql/queries/install_strangers.sql).
cat >"$scratch/create_extension.sql" <<'SQL'
CREATE SCHEMA sop_ml;
SET search_path TO sop_ml, pg_temp;
SQL
cat >"$scratch/install.sql" <<'SQL'
CREATE SCHEMA sop_ml;
SET search_path TO pg_catalog, pg_temp;
SQL
grep -A1 '^#\[pg_extern(volatile)\]' src/install.rs | grep -qF '#[search_path(pg_catalog, pg_temp)]' ||
    die "src/install.rs: install() does not pin its search_path, which this lint takes for granted"

# A linter that finds nothing must be one that can find something.
cat >"$scratch/bad.sql" <<'SQL'
CREATE OR REPLACE FUNCTION public.leak() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM t';
CREATE TABLE IF NOT EXISTS public.trojan (id bigint);
SQL
bad=$("$pgspot" "$scratch/bad.sql" || true)
for code in PS002 PS003 PS012; do
    grep -q "^$code:" <<<"$bad" || die "pgspot did not find $code in a statement that has it"
done

status=0
lint() { # WHAT FILE…
    local what=$1 answer findings
    shift
    # A procedure with a SET clause could not COMMIT between jobs: run_jobs qualifies every name instead.
    answer=$("$pgspot" --proc-without-search-path \
        'sop_ml.run_jobs(max_jobs integer,budget interval,INOUT succeeded bigint,INOUT failed bigint)' "$@" 2>&1) || true
    # Without a closing line it did not get to the end.
    findings=$(grep -vE '^($|.*\.sql: $|(TOTAL:)? ?Errors: 0 Warnings: 0 Unknown: 0 *$)' <<<"$answer" || true)
    if [ -z "$findings" ] && grep -qE 'Errors: 0 Warnings: 0 Unknown: 0' <<<"$answer"; then
        say "pgspot: $what: 0 findings"
    else
        say "pgspot: $what:"
        printf '%s\n' "${findings:-$answer}"
        status=1
    fi
}

script=${SQL:-}
if [ -z "$script" ]; then
    script=$scratch/sop_ml.sql
    cargo pgrx schema --package sop_ml --no-default-features --features "pg$pg_major" --pg-config "$PG_CONFIG" \
        --out "$script" >"$scratch/schema.log" 2>&1 || {
        cat "$scratch/schema.log" >&2
        die "the extension script could not be generated"
    }
fi
functions=$(grep -c '^CREATE  *FUNCTION' "$script" || true)
[ "$functions" -ge 50 ] || die "$script has $functions functions: that is not the whole extension script"

lint "extension script, $functions functions" -a "$scratch/create_extension.sql" "$script"
# The prologue runs before anything was looked at, so it has to be safe by itself.
lint "its prologue alone" sql/extension/roles.sql
upgrades=()
for file in sql/sop_ml--*.sql; do [ ! -e "$file" ] || upgrades+=("$file"); done
[ ${#upgrades[@]} -eq 0 ] || lint "${#upgrades[@]} upgrade scripts" -a "$scratch/create_extension.sql" "${upgrades[@]}"
files=(sql/queries/install_ensure_register.sql sql/migrations/*.sql sql/idempotent/*.sql)
lint "${#files[@]} files of install()" -a "$scratch/install.sql" "${files[@]}"
exit $status
