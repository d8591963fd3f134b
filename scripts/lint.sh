#!/usr/bin/env bash
# Everything that judges the sources without running them. All checks run; the first failure does not hide the others.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root_dir"
require_postgres
pgrx_environment

failures=()
check() { # NAME COMMAND…
    local name=$1
    shift
    say "== Lint: $name"
    "$@" || failures+=("$name")
}

check "rustfmt" cargo fmt --all --check
check "clippy, whole workspace" cargo clippy --quiet --workspace --all-targets --no-default-features \
    --features "sop_ml/pg$pg_major" -- -D warnings
check "clippy, tests inside the server" cargo clippy --quiet --package sop_ml --all-targets --no-default-features \
    --features "pg$pg_major,pg_test" -- -D warnings
check "rules for SQL and for the code that calls it" scripts/lint-sql.sh
check "pgspot" scripts/lint-pgspot.sh
if have shellcheck; then
    check "shellcheck" shellcheck scripts/*.sh .ci/run
else
    say "== Lint: shellcheck is not installed here, shell scripts are only parsed"
    for file in scripts/*.sh .ci/run; do check "bash -n $file" bash -n "$file"; done
fi

if [ ${#failures[@]} -gt 0 ]; then
    say "Lint failed: ${failures[*]}"
    exit 1
fi
say "Lint: all clean"
