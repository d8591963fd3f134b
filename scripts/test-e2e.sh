#!/usr/bin/env bash
# Compiles the end-to-end tests and runs their programs, two at a time: most of what they do is to wait for a server.
#
#   SOP_ML_JOBS   how many at a time (default 2)
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root_dir"
packages=(--package sop-ml-e2e --package sop-ml-demo)
# What takes longest comes first, so that nothing long is left for the end.
slowest=(hostile_values demo_truth)

built=$(mktemp)
trap 'rm -f "$built"' EXIT
CARGO_TERM_COLOR=never scripts/cargo.sh test --no-run "${packages[@]}" 2>&1 | tee "$built"
mapfile -t programs < <(sed -nE 's/^ *Executable .*\((.+)\)$/\1/p' "$built")
[ ${#programs[@]} -gt 0 ] || die "cargo names no test program"

# rank PROGRAM: what to sort by
rank() {
    local name place
    name=$(basename "$1")
    for place in "${!slowest[@]}"; do
        [ "${name%-*}" != "${slowest[$place]}" ] || { say "$place $1" && return; }
    done
    say "${#slowest[@]} $1"
}

# Prints what a program says when it has ended, in one piece.
run_one() {
    local output status=0
    output=$(mktemp)
    "$1" >"$output" 2>&1 || status=$?
    {
        flock 9
        echo "     Running $1"
        cat "$output"
        [ "$status" -eq 0 ] || echo "error: $(basename "$1") ended with status $status"
    } 9>>"$2"
    rm -f "$output"
    return "$status"
}
export -f run_one

require_postgres
status=0
for program in "${programs[@]}"; do rank "$program"; done | sort -s -n -k 1,1 | cut -d ' ' -f 2- | tr '\n' '\0' |
    xargs -0 -n 1 -P "${SOP_ML_JOBS:-2}" bash -c 'run_one "$2" "$1"' run-one "$built" 2>&1 || status=1
scripts/cargo.sh test --doc "${packages[@]}" || status=1
[ "$status" -eq 0 ] || say "error: some end-to-end tests failed"
exit $status
