#!/usr/bin/env bash
# cargo with the settings that fit the server of $PG_CONFIG: which pg_config pgrx reads, and for commands that compile the
# extension (`build --workspace`) the feature of its version.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root_dir"
require_postgres
pgrx_environment
arguments=("$@")
for argument in "$@"; do
    [ "$argument" != --workspace ] || arguments+=(--no-default-features --features "sop_ml/pg$pg_major")
done
exec cargo "${arguments[@]}"
