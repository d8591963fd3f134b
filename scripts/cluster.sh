#!/usr/bin/env bash
# Throw-away PostgreSQL clusters for the demo and the tests.
#
#   cluster.sh start DIR [setting=value …]             make and start one; prints what `env` prints
#   cluster.sh standby DIR PRIMARY [setting=value …]   the same, as a hot standby of the running cluster in PRIMARY
#   cluster.sh resume DIR                              start one again whose server was killed
#   cluster.sh env DIR                                 export lines: PGHOST, PGPORT, PGUSER, SOP_ML_PGDATA
#   cluster.sh stop DIR                                stop and remove it, and nothing else
#
# The server runs as an unprivileged user (as root: postgres), listens on no network address (unless listen_addresses is
# among the settings) and trusts whoever can enter its private socket directory, which is mode 0700. DIR holds the record
# of what was started; only what such a record names is ever stopped or removed.
#
#   PG_CONFIG           which server programs to use
#   CLUSTER_OWNER_PID   stop the cluster when this process has ended, however it ended
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    sed -n '3,8p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' >&2
    exit 2
}
[ $# -ge 2 ] || usage
verb=$1
dir=$2
shift 2
marker=sop_ml_throw_away_cluster

# Reads the record into data, socket, port, bin; fails when DIR holds none.
read_record() {
    data='' socket='' port='' bin=''
    [ -f "$dir/cluster" ] || return 1
    local key value
    while IFS='=' read -r key value; do
        case $key in
            data) data=$value ;;
            socket) socket=$value ;;
            port) port=$value ;;
            bin) bin=$value ;;
        esac
    done <"$dir/cluster"
    [ -n "$data" ] && [ -n "$socket" ]
}

print_environment() {
    printf "export PGHOST='%s' PGPORT='%s' PGUSER=postgres SOP_ML_PGDATA='%s'\n" "$socket" "$port" "$data"
}

is_running() { as_server_user "$bin/pg_ctl" status --pgdata "$data" >/dev/null 2>&1; }

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local candidate _
    for _ in {1..100}; do
        candidate=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        if port_is_free "$candidate"; then
            say "$candidate"
            return
        fi
    done
    die "no free port found between 20000 and 32000"
}

# check_settings setting=value …
check_settings() {
    local setting
    for setting in "$@"; do
        [[ $setting =~ ^[A-Za-z_][A-Za-z0-9_.]*= ]] || die "not a setting=value: $setting"
    done
}

# Makes DIR with an empty data directory, a socket directory and the record of both.
prepare_directories() {
    require_postgres
    local user
    if read_record; then
        ! is_running || die "$dir already has a running cluster; stop it first"
        remove
    fi
    user=$(server_user)
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)

    # The socket path is limited to about 100 bytes, so it lies in /tmp whatever the length of DIR.
    socket=$(mktemp -d /tmp/sop_ml.XXXXXX)
    data=$dir/data
    mkdir -p -m 700 "$data"
    if is_root; then
        chown "$user" "$socket" "$data"
        # A clone under /root cannot be entered by the server user.
        if ! as_server_user test -w "$data"; then
            rmdir "$data"
            data=$(mktemp -d /var/tmp/sop_ml_data.XXXXXX)
            chown "$user" "$data"
        fi
    fi
    bin=$pg_bin
    port=$(free_port)
    write_record
}

write_record() { printf '%s\n' "data=$data" "socket=$socket" "port=$port" "bin=$bin" >"$dir/cluster"; }

# write_settings setting=value …: the later line of a setting wins.
write_settings() {
    local setting
    for setting in "unix_socket_directories=$socket" "$@"; do
        say "${setting%%=*} = '${setting#*=}'"
    done >>"$data/postgresql.conf"
}

# A backtrace in the DETAIL of an error message would be part of every expected answer.
launch() {
    as_server_user env -u RUST_BACKTRACE "$bin/pg_ctl" start --pgdata "$data" --log "$data/server.log" --wait --timeout 60 --silent \
        --options "-p $port" >/dev/null 2>&1 </dev/null
}

# Launches a cluster that was just made; one that does not start is removed again.
launch_new() {
    local attempt
    # Between the look and the start somebody else may have taken the port.
    for attempt in 1 2 3; do
        if launch; then
            watch_owner
            print_environment
            return
        fi
        grep -q 'could not bind' "$data/server.log" 2>/dev/null || break
        port=$(free_port)
        write_record
    done
    warn "the server did not start (attempt $attempt):"
    tail -n 20 "$data/server.log" >&2
    remove
    exit 1
}

start() {
    check_settings "$@"
    prepare_directories
    # initdb wants an empty directory, so the marker that allows the removal comes right after it.
    as_server_user "$bin/initdb" --pgdata "$data" --username postgres --auth trust --encoding UTF8 --locale C.UTF-8 \
        --no-sync >"$dir/initdb.log" 2>&1 || {
        cat "$dir/initdb.log" >&2
        touch "$data/$marker" && remove
        die "initdb failed"
    }
    touch "$data/$marker"
    write_settings listen_addresses= unix_socket_permissions=0700 max_connections=60 "log_line_prefix=%m [%p] %q%u@%d " \
        timezone=UTC log_timezone=UTC "$@"
    launch_new
}

standby() {
    [ $# -ge 1 ] || usage
    local standby_dir=$dir primary_socket primary_port
    dir=$1
    shift
    check_settings "$@"
    read_record || die "no cluster in $dir"
    primary_socket=$socket primary_port=$port
    dir=$standby_dir
    prepare_directories
    as_server_user "$bin/pg_basebackup" --pgdata "$data" --host "$primary_socket" --port "$primary_port" --username postgres \
        --write-recovery-conf --checkpoint=fast --no-sync >"$dir/basebackup.log" 2>&1 || {
        cat "$dir/basebackup.log" >&2
        touch "$data/$marker" && remove
        die "pg_basebackup failed"
    }
    # The copy has the primary's settings and log; the log would be taken for its own.
    touch "$data/$marker"
    rm -f "$data/server.log"
    write_settings "$@"
    launch_new
}

# A killed postmaster keeps its number until its parent has taken notice, and would pass for a running server so long.
forget_dead_postmaster() {
    local pid state
    [ -f "$data/postmaster.pid" ] || return 0
    pid=$(head -n 1 "$data/postmaster.pid")
    [ -r "/proc/$pid/stat" ] || return 0
    state=$(sed -E 's/.*\) (.).*/\1/' "/proc/$pid/stat") || return 0
    [ "$state" != Z ] || rm -f "$data/postmaster.pid" "$socket/.s.PGSQL.$port.lock"
}

# The owner's watch of `start` is still there.
resume() {
    read_record || die "no cluster in $dir"
    [ -f "$data/$marker" ] || die "$data is not a throw-away cluster: left alone"
    forget_dead_postmaster
    ! is_running || die "the server in $data is running"
    launch || {
        tail -n 20 "$data/server.log" >&2
        die "the server in $data did not start again"
    }
}

# A test process may be killed before it can clean up.
watch_owner() {
    [ -n "${CLUSTER_OWNER_PID:-}" ] || return 0
    # shellcheck disable=SC2016  # the inner shell expands these
    setsid bash -c 'while kill -0 "$1" 2>/dev/null; do sleep 0.5; done; exec "$2" stop "$3"' \
        watch "$CLUSTER_OWNER_PID" "$root_dir/scripts/cluster.sh" "$dir" </dev/null >/dev/null 2>&1 &
}

# Removes what the record names, if it is marked as ours.
remove() {
    [ ! -f "$data/$marker" ] || rm -rf "$data"
    case $socket in
        /tmp/sop_ml.*) rm -rf "$socket" ;;
    esac
    rm -f "$dir/cluster" "$dir/initdb.log" "$dir/basebackup.log"
    rmdir "$dir" 2>/dev/null || true
}

stop() {
    read_record || {
        say "no cluster in $dir"
        return 0
    }
    [ ! -d "$data" ] || [ -f "$data/$marker" ] || die "$data is not a throw-away cluster: left alone"
    forget_dead_postmaster
    if is_running; then
        as_server_user "$bin/pg_ctl" stop --pgdata "$data" --mode fast --wait --timeout 30 --silent >/dev/null 2>&1 ||
            as_server_user "$bin/pg_ctl" stop --pgdata "$data" --mode immediate --wait --timeout 10 --silent >/dev/null 2>&1 ||
            die "the server in $data does not stop; it is left as it is"
    fi
    remove
}

case $verb in
    start) start "$@" ;;
    standby) standby "$@" ;;
    resume) resume ;;
    stop) stop ;;
    env)
        read_record || die "no cluster in $dir"
        print_environment
        ;;
    *) usage ;;
esac
