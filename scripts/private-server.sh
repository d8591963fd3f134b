#!/usr/bin/env bash
# A private copy of the installed server, so that a test can add files to its extension directory.
#
#   private-server.sh make DIR     make one; prints export lines: PG_CONFIG, SOP_ML_EXTENSION_DIRECTORY
#   private-server.sh remove DIR   remove it, and nothing else
#
# PostgreSQL finds its directories relative to the real path of its programs: the programs are copied, everything else is
# linked, and all keep their places to each other.
#
#   PG_CONFIG           which server
#   PRIVATE_OWNER_PID   remove the copy when this process has ended, however it ended
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    sed -n '4,5p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' >&2
    exit 2
}
[ $# -eq 2 ] || usage
verb=$1
dir=$2
marker=sop_ml_private_server

# common_directory PATH PATH → the longest directory that both lie in
common_directory() {
    local candidate=$1
    while [[ $2/ != "$candidate"/* ]]; do
        candidate=${candidate%/*}
    done
    say "$candidate"
}

# link_except DIRECTORY TARGET NAME…: links to everything in DIRECTORY but what has one of the names
link_except() {
    local directory=$1 target=$2 entry
    shift 2
    mkdir -p "$target"
    for entry in "$directory"/*; do
        case " $* " in
            *" ${entry##*/} "*) ;;
            *) ln -s "$entry" "$target/" ;;
        esac
    done
}

make_copy() {
    require_postgres
    local share library common root
    [ -x "$pg_bin/pg_config" ] || die "no pg_config beside the programs in $pg_bin"
    share=$("$PG_CONFIG" --sharedir)
    library=$("$PG_CONFIG" --pkglibdir)
    common=$(common_directory "$(common_directory "$pg_bin" "$share")" "$library")
    [ ! -e "$dir" ] || die "$dir exists"
    mkdir -p "$dir"
    root=$(cd "$dir" && pwd)
    touch "$root/$marker"

    mkdir -p "$root/${pg_bin#"$common"/}"
    cp -p "$pg_bin"/* "$root/${pg_bin#"$common"/}/"
    link_except "$library" "$root/${library#"$common"/}"
    link_except "$share" "$root/${share#"$common"/}" extension
    link_except "$share/extension" "$root/${share#"$common"/}/extension"

    # A server user who cannot enter the directory, or a file system without execution, is found out here.
    as_server_user "$root/${pg_bin#"$common"/}/postgres" --version >/dev/null 2>&1 || {
        remove_copy
        die "the server user cannot run programs in $dir"
    }
    watch_owner "$root"
    say "export PG_CONFIG='$root/${pg_bin#"$common"/}/pg_config' SOP_ML_EXTENSION_DIRECTORY='$root/${share#"$common"/}/extension'"
}

# The owner's servers are stopped by watches of their own, which need these programs until they are done.
watch_owner() {
    [ -n "${PRIVATE_OWNER_PID:-}" ] || return 0
    # shellcheck disable=SC2016  # the inner shell expands these
    setsid bash -c 'while kill -0 "$1" 2>/dev/null; do sleep 0.5; done
        for _ in {1..120}; do
            ls -l /proc/[0-9]*/exe 2>/dev/null | grep -qF "$3/" || break
            sleep 0.5
        done
        sleep 2
        exec "$2" remove "$3"' \
        watch "$PRIVATE_OWNER_PID" "$root_dir/scripts/private-server.sh" "$1" </dev/null >/dev/null 2>&1 &
}

remove_copy() {
    [ -e "$dir" ] || return 0
    [ -f "$dir/$marker" ] || die "$dir is not a private server: left alone"
    rm -rf "$dir"
}

case $verb in
    make) make_copy ;;
    remove) remove_copy ;;
    *) usage ;;
esac
