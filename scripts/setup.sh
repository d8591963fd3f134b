#!/usr/bin/env bash
# Prepares this machine to build, test and demonstrate sop_ml. Installs only what is missing; safe to repeat.
#
#   PG_CONFIG=/path/to/pg_config   use this server instead of the installed (or packaged) one
#   SOP_ML_WITHOUT_LINT=1          leave out what only make lint needs
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export DEBIAN_FRONTEND=noninteractive
default_version=15

# What is missing: Debian package names for apt, and a sentence each for those who install it themselves.
packages=()
needs=()
need() { # PACKAGE SENTENCE
    packages+=("$1")
    needs+=("$2")
}

instructions() {
    say ""
    say "Please install the following, then run this command again:"
    local sentence
    for sentence in "${needs[@]}"; do say "  - $sentence"; done
    if [ ${#packages[@]} -gt 0 ]; then
        say "On Debian or Ubuntu, as root:"
        say "  apt-get update && apt-get install -y ${packages[*]}"
    fi
}

# Runs a command with the rights to install packages.
privileged() {
    if is_root; then
        "$@"
    else
        sudo --preserve-env=DEBIAN_FRONTEND "$@"
    fi
}

may_install() {
    have apt-get || { say "There is no apt-get here." && return 1; }
    is_root && return 0
    have sudo || { say "You are not root and there is no sudo here." && return 1; }
    # A terminal can be asked for the password; a script cannot.
    sudo -n true 2>/dev/null || [ -t 0 ] || { say "sudo asks for a password and there is no terminal to ask it on." && return 1; }
}

# apt_has PACKAGE: whether apt knows a version that it could install.
# The answer is read to its end: under pipefail a reader that leaves early would make apt-cache, and with it the answer, fail.
apt_has() { [[ $(LC_ALL=C apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [0-9] ]]; }

find_missing() {
    packages=()
    needs=()
    { have cc && have make; } || need build-essential "a C compiler and make: the linker for Rust, and the Makefile"
    have pkg-config || need pkg-config "pkg-config: lets the build find libraries"
    have clang || need clang "clang: pgrx reads PostgreSQL's headers with it"
    libclang_found || need libclang-dev "libclang (development files): pgrx reads PostgreSQL's headers with it"
    have sudo || need sudo "sudo: cargo-pgrx installs the extension and starts its test server through it"
    # cargo pgrx, git and the crates registry all speak TLS.
    [ -e /etc/ssl/certs/ca-certificates.crt ] || [ ! -e /etc/debian_version ] ||
        need ca-certificates "ca-certificates: cargo downloads over TLS"

    [ -n "${SOP_ML_WITHOUT_LINT:-}" ] || python3 -c 'import ensurepip, venv' 2>/dev/null ||
        need python3-venv "Python 3 with venv: make lint runs pgspot in an environment of its own"
    { have pgbouncer || [ -x /usr/sbin/pgbouncer ]; } ||
        need pgbouncer "PgBouncer: the tests run tenants through its transaction mode"

    if pg_config=$(find_pg_config); then
        local version
        version=$(major_version "$pg_config")
        [ -x "$("$pg_config" --bindir)/initdb" ] ||
            need "postgresql-$version" "PostgreSQL $version, server programs in $("$pg_config" --bindir)"
        [ -f "$("$pg_config" --includedir-server)/postgres.h" ] ||
            need "postgresql-server-dev-$version" "server headers of PostgreSQL $version (postgresql-server-dev-$version): the extension compiles against them"
    elif [ -n "${PG_CONFIG:-}" ]; then
        die "PG_CONFIG=$PG_CONFIG is not an executable pg_config"
    else
        need "postgresql-$default_version" "PostgreSQL $default_version (16, 17 and 18 will do), server"
        need "postgresql-server-dev-$default_version" "server headers of the same PostgreSQL version"
    fi
}

libclang_found() {
    [ -n "${LIBCLANG_PATH:-}" ] && return 0
    local directory file
    for directory in /usr/lib/llvm-*/lib /usr/lib/*-linux-gnu /usr/lib64 /usr/lib /usr/local/lib; do
        for file in "$directory"/libclang.so "$directory"/libclang-*.so*; do
            [ -e "$file" ] && return 0
        done
    done
    return 1
}

# A distribution without PostgreSQL 15 gets its own version when pgrx supports it, else the PostgreSQL project's packages.
choose_postgres_packages() {
    local wanted=postgresql-$default_version version i
    [[ " ${packages[*]} " == *" $wanted "* ]] || return 0
    apt_has "$wanted" && return 0
    for version in $supported_versions; do
        if ! apt_has "postgresql-$version" || ! apt_has "postgresql-server-dev-$version"; then continue; fi
        say "PostgreSQL $default_version is not packaged here; taking $version."
        for i in "${!packages[@]}"; do packages[i]=${packages[i]//-$default_version/-$version}; done
        return
    done
    say "No supported PostgreSQL is packaged here; adding the PostgreSQL project's package source (apt.postgresql.org)."
    privileged apt-get install -y -qq postgresql-common ca-certificates
    privileged /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y
}

say "== What is here"
have cargo || {
    say "Rust is missing: cargo is not on PATH. Install it with"
    say "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . \"\$HOME/.cargo/env\""
    exit 1
}
say "Rust: $(cargo --version)"

find_missing
if [ ${#packages[@]} -gt 0 ]; then
    say "Missing: ${packages[*]}"
    if ! may_install; then
        instructions
        exit 1
    fi
    say "== Installing packages"
    privileged apt-get update -qq
    choose_postgres_packages
    privileged apt-get install -y -qq --no-install-recommends "${packages[@]}" || {
        instructions
        exit 1
    }
    find_missing
    [ ${#packages[@]} -eq 0 ] || {
        say "Still missing after installation: ${packages[*]}"
        instructions
        exit 1
    }
fi

require_postgres
say "PostgreSQL: $("$PG_CONFIG" --version), programs in $pg_bin"
case " $supported_versions " in
    *" $pg_major "*) ;;
    *) die "sop_ml supports PostgreSQL $supported_versions; $PG_CONFIG is version $pg_major" ;;
esac
say "clang: $(clang --version | head -n 1)"

# cargo-pgrx generates what the pgrx crate expects, so the two versions must be equal; Cargo.toml is the one place that says which.
pgrx_version=$(sed -nE 's/^pgrx = \{ version = "=([^"]+)".*/\1/p' "$root_dir/Cargo.toml")
[ -n "$pgrx_version" ] || die "Cargo.toml has no line of the form: pgrx = { version = \"=X.Y.Z\" …"
found=$(cargo pgrx --version 2>/dev/null | sed -E 's/^cargo-pgrx //' || true)
if [ "$found" = "$pgrx_version" ]; then
    say "cargo-pgrx: $found"
else
    say "== Installing cargo-pgrx $pgrx_version (found: ${found:-none}); this takes a few minutes"
    cargo install cargo-pgrx --version "=$pgrx_version" --locked --force
fi

configured=$(pgrx_configured "$pg_major")
if [ -n "$configured" ] && [ -x "$configured" ]; then
    say "pgrx: pg$pg_major = $configured"
    [ "$("$configured" --bindir)" = "$pg_bin" ] ||
        say "      (make passes $PG_CONFIG instead; plain cargo commands use the above)"
else
    say "== Telling pgrx about PostgreSQL $pg_major"
    # Without --no-run an ordinary user would get a data directory that nothing here uses.
    cargo pgrx init --no-run "--pg$pg_major" "$PG_CONFIG"
fi
# Only make lint needs it, so a package index that cannot be reached stops nothing else.
[ -n "${SOP_ML_WITHOUT_LINT:-}" ] || "$root_dir/scripts/lint-pgspot.sh" prepare || warn "pgspot could not be installed; make lint will fail without it"
say "== Ready"
