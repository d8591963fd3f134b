#!/usr/bin/env bash
# Rules that the compiler cannot see, for sql/ and for the Rust code that runs it. Each finding is file:line: text.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root_dir"

# A file, because the rules report from the ends of pipelines.
findings=$(mktemp)
trap 'rm -f "$findings"' EXIT
report() { # RULE, findings on stdin
    local lines
    lines=$(cat)
    [ -n "$lines" ] || return 0
    { say "$1:" && printf '%s\n' "$lines" | sed 's/^/  /'; } | tee -a "$findings"
}

files() { git ls-files --cached --others --exclude-standard -- "$@" 2>/dev/null | sort -u; }
mapfile -t all_sql < <(files 'sql/*.sql')
mapfile -t migrations < <(files 'sql/migrations/*.sql')
mapfile -t idempotent < <(files 'sql/idempotent/*.sql')
mapfile -t queries < <(files 'sql/queries/*.sql')
mapfile -t rust < <(files 'src/*.rs')

# code PATTERN FILE…: grep -P without what stands in comments.
code() {
    local pattern=$1 file
    shift
    for file in "$@"; do
        sed 's/--.*//' "$file" | grep -nP -- "$pattern" | sed "s|^|$file:|" || true
    done
}

# statements FILE: one statement a line, "LINE<TAB>text"; dollar-quoted bodies and string literals are kept whole.
statements() {
    awk '
        function flush() { gsub(/[ \t]+/, " ", text); sub(/^ /, "", text); if (text != "" && text != " ") print first "\t" text; text = ""; first = 0 }
        {
            line = $0
            while (line != "") {
                if (tag != "") {
                    at = index(line, tag)
                    if (at == 0) { text = text " " line; line = ""; continue }
                    text = text " " substr(line, 1, at + length(tag) - 1); line = substr(line, at + length(tag)); tag = ""; continue
                }
                if (quoted) {
                    at = index(line, "\047")
                    if (at == 0) { text = text line; line = ""; continue }
                    text = text substr(line, 1, at); line = substr(line, at + 1); quoted = 0; continue
                }
                if (!match(line, /\047|--|;|\$[a-zA-Z_]*\$/)) { if (line ~ /[^ \t]/ && !first) first = NR; text = text " " line; line = ""; continue }
                before = substr(line, 1, RSTART - 1); token = substr(line, RSTART, RLENGTH); line = substr(line, RSTART + RLENGTH)
                if (before ~ /[^ \t]/ && !first) first = NR
                text = text " " before
                if (token == "--") line = ""
                else if (token == ";") flush()
                else if (token == "\047") { text = text token; quoted = 1 }
                else { text = text token; tag = token }
            }
        }
        END { flush() }
    ' "$1"
}

if [ ${#all_sql[@]} -gt 0 ]; then
    grep -nP '\t|[ ]+$' "${all_sql[@]}" /dev/null | report "tab or trailing blank" || true
    code '(?i)\bas\s+enum\b' "${all_sql[@]}" | report "enum type (status and kind columns are text with CHECK: enum operators are not leakproof)"
    roles='viewer|staff|analyst|manager|owner|group_reader|operator'
    code "(?i)\\b(from|join|into|update|references|table|view)\\s+(only\\s+|if\\s+not\\s+exists\\s+|if\\s+exists\\s+)?sop_(?!ml\\.|ml_storage\\.|ml_($roles)\\b)[a-z_]+" \
        "${all_sql[@]}" | report "name without its schema"
fi

for file in "${migrations[@]}" "${idempotent[@]}"; do
    grep -nP '^\s*\\[a-z]' "$file" | sed "s|^|$file:|" | report "psql command (install() runs these files through SPI)" || true
    statements "$file" | awk -F'\t' -v file="$file" '
        toupper($2) ~ /^(BEGIN|COMMIT|ROLLBACK|START TRANSACTION)( |$)/ { print file ":" $1 ": " substr($2, 1, 80) }' |
        report "transaction control (install() is one transaction)"
    statements "$file" | awk -F'\t' -v file="$file" '
        { upper = toupper($2) }
        upper ~ /^CREATE (OR REPLACE )?VIEW/ && upper !~ /SECURITY_(BARRIER|INVOKER)/ { print file ":" $1 ": " substr($2, 1, 80) }' |
        report "view that is neither security_barrier nor security_invoker"
    statements "$file" | awk -F'\t' -v file="$file" '
        { upper = toupper($2) }
        upper ~ /^CREATE (OR REPLACE )?(FUNCTION|PROCEDURE)/ && upper ~ /SECURITY DEFINER/ && upper !~ /SET SEARCH_PATH/ { print file ":" $1 ": " substr($2, 1, 80) }' |
        report "SECURITY DEFINER without a pinned search_path"
done

for file in "${migrations[@]}"; do
    statements "$file" | grep -iP '^\d+\t(create|alter) table\b.*\btimestamp\b(?! with time zone)' | sed "s|^|$file:|" | cut -c 1-120 |
        report "column of type timestamp without time zone" || true
    statements "$file" | awk -F'\t' -v file="$file" '
        { upper = toupper($2) }
        upper ~ /^CREATE (OR REPLACE )?(FUNCTION|PROCEDURE|VIEW|MATERIALIZED VIEW|TRIGGER|CONSTRAINT TRIGGER|POLICY|RULE)/ ||
        upper ~ /^(GRANT|REVOKE|COMMENT) / { print file ":" $1 ": " substr($2, 1, 80) }' |
        report "belongs in sql/idempotent (a migration holds tables, constraints, indexes and storage settings)"
done

for file in "${idempotent[@]}"; do
    statements "$file" | awk -F'\t' -v file="$file" '
        { upper = toupper($2) }
        upper ~ /^CREATE (FUNCTION|PROCEDURE|VIEW|TRIGGER) / { name = $2; sub(/^[A-Za-z]+ [A-Za-z]+ /, "", name); sub(/[ (].*/, "", name)
            if (upper !~ /^CREATE TRIGGER/ || !(toupper(name) in dropped)) print file ":" $1 ": " substr($2, 1, 80) }
        upper ~ /^DROP TRIGGER IF EXISTS / { name = upper; sub(/^DROP TRIGGER IF EXISTS /, "", name); sub(/ .*/, "", name); dropped[name] = 1 }' |
        report "cannot be run twice (CREATE OR REPLACE, or DROP … IF EXISTS before it)"
done

for file in "${queries[@]}"; do
    head -n 1 "$file" | grep -q '^--' || say "$file:1" | report "statement file without a leading comment on its parameters"
    [ "$(statements "$file" | wc -l)" -eq 1 ] || say "$file:1" | report "statement file that does not hold exactly one statement"
    grep -qF "queries/$(basename "$file")\"" "${rust[@]}" /dev/null || say "$file:1" | report "statement file that nothing runs"
done

# Who refused to have their data used is left out by view sop_training_exclusions (docs/privacy.md). A statement that reads
# people's rows either uses it or stands here with the reason why it need not.
declare -A needs_no_exclusion=(
    [aggregation_day_users]="operational totals of a day per SOP; learns nothing from a person and shows none"
    [aggregation_hours_interactions]="operational totals of an hour per SOP; learns nothing from a person and shows none"
    [aggregation_drift_ranges]="which days a model predicted on; reads no person"
    [aggregation_served_models]="which models predicted; reads no person"
    [anomalies_baseline]="watches what a model said; trains nothing"
    [anomalies_candidates]="watches what a model said; trains nothing"
    [drift_samples]="watches what a model saw and said; trains nothing"
)
personal='sop_ml\.sop_(user_interactions|user_profiles|training_records|ml_predictions|generated_recommendations)\b'
for file in "${queries[@]}"; do
    name=$(basename "$file" .sql)
    if [ -z "$(code "\\b(from|join|FROM|JOIN)\s+(only\s+|ONLY\s+)?$personal" "$file")" ]; then
        [ -z "${needs_no_exclusion[$name]:-}" ] || say "$file:1" | report "excused from sop_training_exclusions, but reads no people's rows"
        continue
    fi
    reads=$(code "$personal" "$file" | wc -l)
    excludes=$(code '(?i)not exists \(select from sop_ml\.sop_training_exclusions\b' "$file" | wc -l)
    if [ -n "${needs_no_exclusion[$name]:-}" ]; then
        [ "$excludes" -eq 0 ] || say "$file:1" | report "excused from sop_training_exclusions, but uses it"
    elif [ "$excludes" -lt "$reads" ]; then
        say "$file:1" | report "reads people's rows without sop_training_exclusions (or a reason in scripts/lint-sql.sh)"
    fi
done
for name in "${!needs_no_exclusion[@]}"; do
    [ -f "sql/queries/$name.sql" ] || say "$name" | report "excused from sop_training_exclusions, but does not exist"
done
[ ${#rust[@]} -eq 0 ] || grep -nP "(?i)\b(from|join)\s+$personal" "${rust[@]}" /dev/null |
    grep -vP "^[^:]+:\d+:'|tests?\.rs:" | report "people's rows read outside sql/queries" || true

if [ ${#rust[@]} -gt 0 ]; then
    # Code below the tests' module may do as it likes.
    for file in "${rust[@]}"; do
        sed '/^ *\(pub \)\?mod tests\?\( {\|;\)/,$d' "$file" | grep -nP 'format!\(\s*r?#*"\s*(?i:select|insert|update|delete|merge|create|alter|drop|with)\s' |
            sed "s|^|$file:|" | report "SQL built by format! (values are parameters, relations are regclass)" || true
        sed '/^ *\(pub \)\?mod tests\?\( {\|;\)/,$d' "$file" | awk -v file="$file" '
            /#\[pg_extern\(/ { stable = ($0 ~ /[( ,]stable[, )]/) }
            /^}/ { stable = 0 }
            stable && /Spi::(get_one|get_two|get_three|run|connect_mut)|sql::(modify|execute)|\.update\(/ { print file ":" NR ": " $0 }' |
            report "stable function that may assign a transaction id (read through sql::select)"
    done
fi

[ ! -s "$findings" ] || exit 1
say "SQL rules: ${#migrations[@]} migrations, ${#idempotent[@]} idempotent files, ${#queries[@]} statements, ${#rust[@]} Rust files: clean"
