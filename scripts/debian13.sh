#!/usr/bin/env bash
# Runs the whole suite on another distribution, with its own PostgreSQL: makes a root folder of it from packages, installs
# what `make setup` wants there, copies the checkout in and runs `make test`.
#
#   debian13.sh [SUITE [COMMAND…]]   trixie: Debian 13, PostgreSQL 17 (default); sid: Debian unstable; noble: Ubuntu 24.04,
#                                    PostgreSQL 16. COMMAND instead of `make test`
#   debian13.sh --check              whether this machine can do it; prints why not
#   debian13.sh --remove SUITE       remove the root, so that the next run makes it from today's packages
#
# The root, what was compiled in it and the crates stay for the next run; the checkout itself is not written to. Everything
# runs in a mount and process namespace of its own: when the command ends, or this script is killed, the kernel ends all
# servers and takes the mounts away. Nothing is ever mounted where the rest of the machine sees it.
#
#   SOP_ML_CACHE    where the roots are kept (default /var/cache/sop_ml)
#   DEBIAN_MIRROR   where packages come from (default: the distribution's own address)
#   PROFILE         for the inner `make` (default release, as `make test` has it)
#   SOP_ML_EFFORT, SOP_ML_SEED   are handed on
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cache=${SOP_ML_CACHE:-/var/cache/sop_ml}
# Packages that setup.sh does not ask for. rsync copies the checkout; the extensions are those that the tests use when they
# are there.
base_packages=(ca-certificates rsync)
extensions=(timescaledb pgvector cron)

# Why this machine cannot do it, or nothing.
obstacle() {
    if ! is_root; then
        say "making a root folder of another distribution needs root"
    elif ! have unshare || ! have setpriv; then
        say "unshare and setpriv (util-linux) are missing"
    elif ! unshare --mount --pid --ipc --fork --mount-proc true 2>/dev/null; then
        say "this machine allows root no mounts (a container without CAP_SYS_ADMIN?)"
    elif ! have debootstrap && ! have apt-get; then
        say "debootstrap is missing and there is no apt-get to install it with"
    elif ! rust >/dev/null; then
        say "no Rust toolchain in a folder of its own (as rustup installs it) that could be shared with the other root"
    fi
}

# Prints the folder of the toolchain; /usr cannot be mounted elsewhere.
rust() {
    local folder
    folder=$(cd "$root_dir" && rustc --print sysroot 2>/dev/null) && [ "$folder" != /usr ] && [ -x "$folder/bin/cargo" ] && say "$folder"
}

# Sets mirror, components, keyring and keyring_package of $suite.
choose_distribution() {
    case $suite in
        trixie | sid)
            mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
            components=main keyring_package=debian-archive-keyring
            keyring=/usr/share/keyrings/debian-archive-keyring.gpg
            ;;
        noble)
            mirror=${DEBIAN_MIRROR:-http://archive.ubuntu.com/ubuntu}
            components=main,universe keyring_package=ubuntu-keyring
            keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg
            ;;
        *) die "unknown suite $suite: trixie, sid or noble" ;;
    esac
}

# Removes the root, unless something is mounted in it: a removal would go through the mount.
remove_root() {
    [ -e "$root" ] || return 0
    ! grep -qF " $root" /proc/self/mountinfo || die "something is mounted in $root; it is left alone"
    rm -rf --one-file-system "$root"
}

in_root() { chroot "$root" /usr/bin/env -i "${environment[@]}" "$@"; }

# What commands in the root see of this machine's settings: proxies and the ways to crates and packages.
collect_environment() {
    environment=(PATH=/opt/rust/bin:/root/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        HOME=/root USER=root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive SOP_ML_WITHOUT_LINT=1 "PROFILE=${PROFILE:-release}")
    local name
    while IFS= read -r name; do
        environment+=("$name=${!name}")
    done < <(compgen -e | grep -E '^([a-z]+_proxy|[A-Z]+_PROXY|CARGO_(HTTP|NET|REGISTR|SOURCE|TERM)[A-Z_]*|SOP_ML_(EFFORT|SEED)|NO_COLOR|TERM)$')
}

# Names, addresses and certificates that the network needs here.
copy_network_settings() {
    local file certificates
    for file in /etc/resolv.conf /etc/hosts; do
        [ ! -f "$file" ] || cp --remove-destination "$file" "$root$file"
    done
    # Many a tool finds itself by this name.
    [ -s "$root/etc/hosts" ] || printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
    certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
    if [ -f "$certificates" ]; then
        mkdir -p "$root/etc/ssl/certs"
        cp "$certificates" "$root/etc/ssl/certs/ca-certificates.crt"
    fi
    ! have apt-config || apt-config dump | grep -E '^Acquire::(https?|Retries|Check)' >"$root/etc/apt/apt.conf.d/90host" || true
}

# Makes the root up to the base packages. The stamp says that it is whole; what is there without it is the rest of a run that
# was ended.
make_root() {
    local wanted="$suite $mirror ${base_packages[*]}"
    [ "$(cat "$folder/made" 2>/dev/null)" != "$wanted" ] || return 0
    say "== Making a root of $suite in $root"
    remove_root
    rm -f "$folder/made" "$folder/ready"
    if ! have debootstrap || [ ! -f "$keyring" ]; then
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends debootstrap "$keyring_package"
    fi
    local script=()
    # A debootstrap older than the suite knows how to make its elders: the steps are the same.
    [ -e "/usr/share/debootstrap/scripts/$suite" ] || script=(/usr/share/debootstrap/scripts/sid)
    debootstrap --variant=minbase --force-check-gpg --keyring="$keyring" --components="$components" \
        "$suite" "$root" "$mirror" "${script[@]}" >"$folder/debootstrap.log" 2>&1 || {
        tail -n 20 "$folder/debootstrap.log" >&2
        die "debootstrap failed"
    }
    copy_network_settings
    # No server is started by its package, and no cluster made: the tests make their own.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    mkdir -p "$root/etc/postgresql-common"
    printf 'create_main_cluster = false\n' >"$root/etc/postgresql-common/createcluster.conf"
    # Packages of a throw-away root need not be on disk when the power fails.
    printf 'force-unsafe-io\n' >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
    printf 'APT::Install-Recommends "false";\n' >"$root/etc/apt/apt.conf.d/80sop_ml"
    in_root apt-get update -qq
    in_root apt-get install -y -qq "${base_packages[@]}" >"$folder/packages.log" 2>&1 || {
        tail -n 20 "$folder/packages.log" >&2
        die "installing ${base_packages[*]} failed"
    }
    printf '%s\n' "$wanted" >"$folder/made"
}

# The extensions that are packaged for this PostgreSQL; none of them has to be.
add_extensions() {
    [ ! -e "$folder/ready" ] || return 0
    local major package names=()
    # shellcheck disable=SC2016  # the shell in the root expands it
    major=$(in_root bash -c 'cd /sop_ml && source scripts/lib.sh && require_postgres && printf %s "$pg_major"')
    for package in "${extensions[@]}"; do
        package=postgresql-$major-$package
        if [ -n "$(in_root apt-cache show --quiet=2 "$package" 2>/dev/null)" ]; then
            names+=("$package")
        else
            say "$suite has no $package"
        fi
    done
    [ ${#names[@]} -eq 0 ] || in_root apt-get install -y -qq "${names[@]}" >>"$folder/packages.log" 2>&1 ||
        warn "not installed: ${names[*]}"
    touch "$folder/ready"
}

# Mounts into the root; only this script's namespace sees them.
mount_all() {
    local directory
    # The folders of /dev are there already.
    for directory in proc dev opt/rust root/.cargo/registry mnt/checkout; do mkdir -p "$root/$directory"; done
    mount -t proc proc "$root/proc"
    mount --bind /dev "$root/dev"
    # apt logs through a terminal of its own.
    mkdir -p "$root/dev/pts"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
    # Shared memory of killed servers would be left in this machine's.
    mkdir -p "$root/dev/shm"
    mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
    mount --bind "$toolchain" "$root/opt/rust"
    mount -o remount,bind,ro "$root/opt/rust"
    mkdir -p "$crates"
    mount --bind "$crates" "$root/root/.cargo/registry"
    mount --bind "$root_dir" "$root/mnt/checkout"
    mount -o remount,bind,ro "$root/mnt/checkout"
}

# Files whose content is the same keep their time in the copy, so that a fresh clone compiles only what has changed. (With the
# clone's own times cargo would compile the whole workspace again.)
copy_checkout() {
    mkdir -p "$root/sop_ml"
    in_root rsync --recursive --links --perms --checksum --delete --exclude=/.git --filter='P /target' --filter=':- .gitignore' \
        /mnt/checkout/ /sop_ml/
}

# This machine's cargo-pgrx saves a few minutes where it runs in the root as well; setup.sh makes one where not.
share_cargo_pgrx() {
    local own=$root/root/.cargo/bin/cargo-pgrx
    mkdir -p "${own%/*}"
    [ ! -x "$own" ] || return 0
    have cargo-pgrx || return 0
    cp "$(command -v cargo-pgrx)" "$own"
    in_root cargo-pgrx pgrx --version >/dev/null 2>&1 || rm -f "$own"
}

# Runs as the first process of the namespace.
inside() {
    collect_environment
    make_root
    mount_all
    copy_network_settings
    find "$root/tmp" "$root/var/tmp" -mindepth 1 -delete
    ! [ -f "$cargo_home/config.toml" ] || cp "$cargo_home/config.toml" "$root/root/.cargo/config.toml"
    share_cargo_pgrx
    copy_checkout
    # Before anything is compiled, so that what is missing is said first; `make test` finds everything there.
    in_root bash /sop_ml/scripts/setup.sh
    add_extensions
    # shellcheck disable=SC2016  # the shell in the root expands it
    say "== $(in_root bash -c '. /etc/os-release && printf %s "$PRETTY_NAME"') in $root: $*"
    in_root bash -c 'cd /sop_ml && exec "$@"' command "$@"
}

case ${1:-} in
    --check)
        reason=$(obstacle)
        [ -z "$reason" ] || {
            say "$reason"
            exit 1
        }
        exit
        ;;
    --remove | --inside)
        verb=$1
        shift
        ;;
    -*) die "unknown option $1" ;;
    *) verb=run ;;
esac
suite=${1:-trixie}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- make test
choose_distribution
folder=$cache/$suite
root=$folder/root
cargo_home=${CARGO_HOME:-$HOME/.cargo}
crates=$cargo_home/registry

if [ "$verb" = --inside ]; then
    toolchain=$(rust)
    inside "$@"
    exit
fi
reason=$(obstacle)
[ -z "$reason" ] || die "$reason"
mkdir -p "$folder"
exec 9>"$folder/lock"
flock --nonblock 9 || {
    say "another run uses $folder; waiting for it"
    setpriv --pdeathsig KILL -- flock 9
}
if [ "$verb" = --remove ]; then
    rm -f "$folder/made" "$folder/ready"
    remove_root
    exit
fi
# The end of this script, however it comes, is the end of unshare, and that of the namespace.
setpriv --pdeathsig KILL -- unshare --mount --pid --ipc --fork --kill-child=KILL --mount-proc --propagation private \
    "${BASH_SOURCE[0]}" --inside "$suite" "$@" </dev/null &
namespace=$!
trap 'kill -KILL "$namespace" 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
status=0
wait "$namespace" || status=$?
exit $status
