#!/bin/sh
# Installs what runbookd needs, on Debian and Ubuntu.
#   deps.sh build   what is needed to build and to run
#   deps.sh demo    that, and what `make demo` plays a forge with
#   deps.sh check   that, and what the test suites and linters need
#   deps.sh bench   that, and what the measurements compare with
# Elsewhere it prints the list and fails, because a guess at another
# distribution's package names would be wrong sooner or later.
set -eu

BUILD_PACKAGES="
    gcc make pkg-config git ca-certificates tzdata
    libmicrohttpd-dev libsqlite3-dev libsodium-dev nettle-dev libjansson-dev libarchive-dev libzstd-dev
    libgit2-dev libcurl4-openssl-dev libinih-dev libyaml-dev
    libnl-3-dev liburing-dev libseccomp-dev
    libcmocka-dev nftables iptables iproute2 scdoc"

# PACKAGE:COMMAND is not wanted where the command is there by another package
CHECK_PACKAGES="
    clang clang-format clang-tidy libclang-rt-14-dev cppcheck shellcheck
    user-mode-linux qemu-system-x86 mmdebstrap e2fsprogs kmod bubblewrap crun strace curl jq nginx-light fcgiwrap
    util-linux mount procps python3 binutils attr libcap2-bin openssh-client openssh-server
    netcat-openbsd zstd skopeo docker-registry umoci
    autoconf automake busybox-static:busybox bzip2 chromium:chromium chromium-driver:chromedriver cmake
    default-jdk-headless:javac fakeroot fonts-dejavu-core g++ gdb iputils-ping
    nodejs:node npm:npm perl python3-jsonschema python3-venv python3-yaml sqlite3 stress-ng sudo tcl tmux valgrind xz-utils"

BENCH_PACKAGES="runc podman systemd-container golang-github-containers-common linux-perf"

DEMO_PACKAGES="bash python3 curl openssl"

say_elsewhere() {
    echo "runbookd: apt-get was not found. Install the equivalents of:" >&2
    echo "$1" | tr -s ' \n' '\n' | sed '/^$/d; s/:.*//; s/^/    /' >&2
    exit 1
}

missing() {
    for package in $1; do
        case $package in
        *:*)
            ! command -v "${package#*:}" >/dev/null 2>&1 || continue
            package=${package%%:*}
            ;;
        esac
        status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || echo "$package"
    done
}

case "${1:-build}" in
build) wanted=$BUILD_PACKAGES ;;
demo) wanted="$BUILD_PACKAGES $DEMO_PACKAGES" ;;
check) wanted="$BUILD_PACKAGES $DEMO_PACKAGES $CHECK_PACKAGES" ;;
bench) wanted="$BUILD_PACKAGES $DEMO_PACKAGES $CHECK_PACKAGES $BENCH_PACKAGES" ;;
*)
    echo "usage: deps.sh build|demo|check|bench" >&2
    exit 2
    ;;
esac

command -v apt-get >/dev/null 2>&1 || say_elsewhere "$wanted"
needed=$(missing "$wanted")
[ -n "$needed" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "runbookd: these packages are missing; run this again with sudo:" >&2
    echo "$needed" | sed 's/^/    /' >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q update >/dev/null || apt-get update
# shellcheck disable=SC2086  # a list of words is wanted
apt-get install -q -y --no-install-recommends $needed
