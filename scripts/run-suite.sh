#!/usr/bin/env bash
# Runs one test suite and says in one line what came out; a suite that ran fewer tests than it has to is a failure.
#
#   run-suite.sh NAME MINIMUM COMMAND…    run COMMAND, count the tests that it reports
#   run-suite.sh --summary NAME …         the closing lines of these suites once more, and the sum; fails if one is missing
#   run-suite.sh --reset                  forget earlier results
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
results=$target_dir/suites

# Sums what cargo ("test result: ok. 3 passed; 0 failed; …"), pg_regress up to 15 ("test name ... ok 12 ms") and pg_regress
# from 16 on ("ok 1 - name 12 ms") print. Prints: PASSED FAILED. A suite that breaks otherwise counts as one failure.
count_tests() {
    awk '
        { sub(/\r$/, "") }
        /^test result: / {
            for (i = 2; i <= NF; i++) {
                if ($i ~ /^passed/) passed += $(i - 1)
                if ($i ~ /^failed/) failed += $(i - 1)
            }
            next
        }
        /^(test |     ) *[a-z0-9_]+ +\.\.\. ok +[0-9]+ ms/ { passed++; next }
        /^(test |     ) *[a-z0-9_]+ +\.\.\. FAILED.* ms$/ { failed++; next }
        /^ok [0-9]+ +[-+] / { passed++; next }
        /^not ok [0-9]+ +[-+] / { failed++; next }
        END { print passed + 0, failed + 0 }
    ' "$1"
}

summary() {
    local name passed failed status seconds total_passed=0 total_failed=0 bad=0
    say ""
    for name in "$@"; do
        [ -f "$results/$name.log" ] || continue
        say "== $name, closing lines"
        { grep -vE '^[[:space:]]*$' "$results/$name.log" || true; } | tail -n 6
    done
    say ""
    say "== Summary"
    for name in "$@"; do
        if [ ! -f "$results/$name.result" ]; then
            say "$name: did not run"
            total_failed=$((total_failed + 1))
            bad=1
            continue
        fi
        read -r passed failed status seconds <"$results/$name.result"
        total_passed=$((total_passed + passed))
        total_failed=$((total_failed + failed))
        if [ "$status" = ok ]; then
            say "$name: $passed passed, $failed failed ($seconds s)"
        else
            say "$name: $passed passed, $failed failed ($seconds s): ${status//_/ }"
            bad=1
        fi
    done
    say "$total_passed passed, $total_failed failed"
    return $bad
}

case ${1:-} in
    --reset)
        rm -rf "$results"
        exit
        ;;
    --summary)
        shift
        summary "$@"
        exit
        ;;
esac
[ $# -ge 3 ] || die "usage: run-suite.sh NAME MINIMUM COMMAND…"
name=$1
minimum=$2
shift 2
mkdir -p "$results"
rm -f "$results/$name.result"
log=$results/$name.log
say "== Suite $name: $*"
code=0
started=$SECONDS
"$@" 2>&1 | tee "$log" || code=$?
read -r passed failed < <(count_tests "$log")
if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; then
    failed=1
    status="command failed (status $code)"
elif [ "$failed" -ne 0 ]; then
    status="tests failed"
elif [ "$passed" -lt "$minimum" ]; then
    failed=1
    status="too few tests ran (at least $minimum expected)"
else
    status=ok
fi
printf '%s %s %s %s\n' "$passed" "$failed" "${status// /_}" "$((SECONDS - started))" >"$results/$name.result"
say "== Suite $name: $passed passed, $failed failed$([ "$status" = ok ] || printf ': %s' "$status")"
[ "$status" = ok ]
