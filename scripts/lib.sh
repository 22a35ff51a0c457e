# Shared by the scripts: packages, progress, builds. Sourced, not run.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export NAVE_CALLED_FROM=${NAVE_CALLED_FROM:-$PWD}  # where the names of files on the command line begin
cd "$root"

packages_build=(g++ meson ninja-build pkg-config libdpdk-dev libipsec-mb-dev libssl-dev libfmt-dev libboost-dev
    libboost-program-options-dev libtomlplusplus-dev nlohmann-json3-dev libmnl-dev libcurl4-openssl-dev)
packages_lab=(python3 openssl iproute2 iputils-ping nftables dnsmasq-base isc-dhcp-client iperf3 tcpdump tshark ethtool procps)
packages_test=(catch2 clang-19 libclang-rt-19-dev git)
packages_interop=(user-mode-linux strongswan-swanctl charon-systemd libcharon-extra-plugins libstrongswan-standard-plugins frr socat iptables kmod)

say() { printf '\033[1m== %s\033[0m\n' "$*"; }

# Installs those of the named Debian packages that are missing; without root it says what to install.
need_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ]; then
        echo "These Debian packages are missing; run this as root, or install them: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    say "installing ${#missing[@]} missing packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    local log policy=
    log=$(mktemp)
    # Peers for tests come with daemons, which must not start on this machine.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
        policy=ours
    fi
    local status=0
    { apt-get -q update && apt-get -q -y install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 || status=$?
    [ -z "$policy" ] || rm -f /usr/sbin/policy-rc.d
    if [ "$status" -ne 0 ]; then
        tail -n 30 "$log" >&2
        echo "apt-get could not install the packages above; see its messages." >&2
        exit 1
    fi
    rm -f "$log"
}

# build_tree DIRECTORY COMPILER MESON-OPTIONS... TARGETS... : configures once, then builds what changed; all when no target is named.
build_tree() {
    local directory=$1 compiler=$2 options=()
    shift 2
    while [ $# -gt 0 ] && [[ $1 == -* ]]; do
        options+=("$1")
        shift
    done
    if [ ! -f "$directory/build.ninja" ]; then
        say "configuring $directory ($compiler)"
        CXX=$compiler meson setup "$directory" "${options[@]}" >"$root/.meson.log" 2>&1 || { cat "$root/.meson.log" >&2; exit 1; }
        rm -f "$root/.meson.log"
    fi
    say "building $directory"
    NINJA_STATUS='[%f/%t %es] ' ninja -C "$directory" "$@"
}

# link_commands DIRECTORY : puts the commands where DESIGN's contract says, directly below the build directory.
link_commands() {
    ln -sf controlplane/naved "$1/naved"
    ln -sf controlplane/ctl/navectl "$1/navectl"
    ln -sf tests/rig/nave-bench "$1/nave-bench"
}
