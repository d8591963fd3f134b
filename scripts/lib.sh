# Sourced by the other scripts: messages, the PostgreSQL that is meant, the user who runs test servers.
# shellcheck shell=bash
# shellcheck disable=SC2034  # the variables are for the scripts that source this

set -euo pipefail
umask 022

# rustup's default place is not on PATH in a shell that was open before the installation.
command -v cargo >/dev/null 2>&1 || PATH=$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin

root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# The generated helpers (results, logs, throw-away clusters) live beside cargo's output.
target_dir=${CARGO_TARGET_DIR:-$root_dir/target}

supported_versions="15 16 17 18"

# build.rs gives the linker what this workaround of cargo-pgrx would pass as flags of the whole build; with those flags every
# dependency would be compiled a second time beside plain cargo's.
export CARGO_PGRX_DISABLE_GC_SECTIONS_WORKAROUND=1

say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" -eq 0 ]; }

# Prints the pg_config to use and succeeds, or fails when no supported server is installed.
# $PG_CONFIG wins; then Debian's per-version directories (15, the default of the workspace, before later ones); then PATH.
find_pg_config() {
    if [ -n "${PG_CONFIG:-}" ]; then
        [ -x "$PG_CONFIG" ] || have "$PG_CONFIG" || return 1
        command -v "$PG_CONFIG"
        return
    fi
    local version candidate
    for version in $supported_versions; do
        candidate=/usr/lib/postgresql/$version/bin/pg_config
        if [ -x "$candidate" ] && [ -x "/usr/lib/postgresql/$version/bin/postgres" ]; then
            say "$candidate"
            return
        fi
    done
    candidate=$(command -v pg_config) || return 1
    [ -x "$("$candidate" --bindir)/postgres" ] || return 1
    case " $supported_versions " in
        *" $(major_version "$candidate") "*) say "$candidate" ;;
        *) return 1 ;;
    esac
}

# major_version PG_CONFIG → 15
major_version() { "$1" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/'; }

# Sets PG_CONFIG, pg_bin and pg_major, or ends with what to do.
require_postgres() {
    PG_CONFIG=$(find_pg_config) || die "no PostgreSQL server of version $supported_versions found; run 'make setup' or set PG_CONFIG"
    export PG_CONFIG
    pg_bin=$("$PG_CONFIG" --bindir)
    pg_major=$(major_version "$PG_CONFIG")
}

# The user under whom throw-away servers run: PostgreSQL refuses to run as root.
server_user() {
    if is_root; then
        id -u postgres >/dev/null 2>&1 || die "running as root needs the system user 'postgres' to run test servers; run 'make setup'"
        say postgres
    else
        id -un
    fi
}

# as_server_user COMMAND…: from / because the server user may not be able to enter the current directory.
as_server_user() {
    if ! is_root; then
        "$@"
    elif have runuser; then
        (cd / && runuser -u "$(server_user)" -- "$@")
    else
        (cd / && sudo -u "$(server_user)" -- "$@")
    fi
}

# Makes pgrx use $PG_CONFIG even where its own configuration names another server of the same version.
pgrx_environment() {
    local configured
    configured=$(pgrx_configured "$pg_major")
    if [ -z "$configured" ] || [ "$("$configured" --bindir 2>/dev/null)" != "$pg_bin" ]; then
        export PGRX_PG_CONFIG_PATH=$PG_CONFIG
    fi
}

# pgrx_configured 15 → the pg_config that pgrx knows for this version, or nothing.
pgrx_configured() {
    local file=${PGRX_HOME:-$HOME/.pgrx}/config.toml
    [ -f "$file" ] || return 0
    sed -nE "s/^pg$1 *= *\"(.*)\"/\1/p" "$file" | head -n 1
}

# Whether files can be installed into the server's directories without sudo.
may_write_server_directories() {
    [ -w "$("$PG_CONFIG" --pkglibdir)" ] && [ -w "$("$PG_CONFIG" --sharedir)/extension" ]
}

# cargo-pgrx writes over the installed library, which may crash servers that have it loaded. Giving the path a fresh copy
# first leaves them the file that they have.
spare_running_servers() {
    local library sudo=()
    library=$("$PG_CONFIG" --pkglibdir)/sop_ml.so
    [ -f "$library" ] || return 0
    may_write_server_directories || sudo=(sudo)
    "${sudo[@]}" cp -p "$library" "$library.new"
    "${sudo[@]}" mv "$library.new" "$library"
}
