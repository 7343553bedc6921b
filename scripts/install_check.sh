#!/bin/sh
# Builds wheel and source distribution, checks that they hold every file of the packages, and tries in clean minimal roots what
# users do. The arguments say what: `pipx` and `uv` (both, if none is given) install the wheel with pipx as root and with `uv tool`
# as an ordinary user, and run the tutorial's commands in an empty folder; `clone` and `clone-user` run the README's `make demo`
# in a clone as root and as an ordinary user; `tests` runs `make test` there as root on TESTS, such as "tests/unit".
# SUITES says which roots: Debian's suites, or noble for Ubuntu 24.04. ROOTS names a folder for them (SUITE/, made once with
# debootstrap). Needs root and debootstrap; noble also needs the keyring of Ubuntu's archive (UBUNTU_KEYRING).
set -eu

cd -P "$(dirname "$0")/.."
here=$PWD
ROOTS=${ROOTS:-$here/.cache/roots}
SUITES=${SUITES:-bookworm trixie forky}
ARCHIVE=${ARCHIVE:-http://deb.debian.org/debian}
UBUNTU_ARCHIVE=${UBUNTU_ARCHIVE:-http://archive.ubuntu.com/ubuntu}
UBUNTU_KEYRING=${UBUNTU_KEYRING:-/usr/share/keyrings/ubuntu-archive-keyring.gpg}
dist=$here/.cache/dist
failed=0

say() { printf '%s\n' "$*"; }

build() {
    rm -rf "$dist"
    .venv/bin/uv build --quiet --out-dir "$dist"
    .venv/bin/python -m scripts.package_files "$dist"
    git bundle create --quiet "$dist/checkout.bundle" HEAD
    tutorial >"$dist/tutorial.sh"
}

# The commands of the tutorial: all its blocks but the last, which needs a model.
tutorial() {
    awk '/^```sh$/ { inside = 1; blocks++; next } /^```$/ { inside = 0 } inside { text[blocks] = text[blocks] $0 "\n" }
        END { for (each = 1; each < blocks; each++) printf "%s", text[each] }' docs/tutorial.md
}

# make_root SUITE: a minimal root with what the README names (Python, git, make), once.
make_root() {
    [ -x "$ROOTS/$1/usr/bin/python3" ] && return
    mkdir -p "$ROOTS"
    case $1 in
    noble) set -- "$1" "$UBUNTU_ARCHIVE" gutsy --keyring="$UBUNTU_KEYRING" --components=main,universe ;;
    *) set -- "$1" "$ARCHIVE" sid ;;
    esac
    suite=$1 archive=$2 script=/usr/share/debootstrap/scripts/$3
    shift 3
    debootstrap --variant=minbase --include=python3,git,make,ca-certificates "$@" "$suite" "$ROOTS/$suite" "$archive" \
        "$script" >"$ROOTS/$suite.log" 2>&1
}

# inside SUITE SCRIPT: run a script as root in the suite's root, of which all changes are lost afterwards. It is a mount
# namespace of its own and no chroot, in which nobody could make the user namespaces of a sandbox.
inside() {
    root="$ROOTS/$1" script="$2" dist="$dist" unshare --mount --pid --fork --propagation private sh -eu -c '
        top=$(mktemp -d) && mount -t tmpfs -o mode=755 tmpfs "$top" && mkdir "$top/upper" "$top/work" "$top/root"
        mount -t overlay -o "lowerdir=$root,upperdir=$top/upper,workdir=$top/work" overlay "$top/root" && cd "$top/root"
        mount -t proc proc proc && mount --rbind /dev dev && mkdir -p opt/dist old
        mount --bind "$dist" opt/dist
        cp -L /etc/resolv.conf etc/resolv.conf && mkdir -p usr/local/share/ca && cp -L /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/
        pivot_root . old && umount -l /old && rmdir /old
        exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
            SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
            NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt sh -eu -c "$script"'
}

PREPARE='
    useradd --create-home somebody
    apt() { apt-get -qq -o Dpkg::Use-Pty=0 -o Acquire::Check-Valid-Until=false "$@" >/dev/null 2>&1; }
    apt update
    export DEBIAN_FRONTEND=noninteractive
    as_user() { chroot --userspec=somebody:somebody --skip-chdir / env HOME=/home/somebody "$@"; }
'
# The tutorial ends with this sentence of `scenarist config check`.
PIPX='
    apt install --no-install-recommends -y pipx redis-server bubblewrap
    mkdir /root/empty && cd /root/empty
    pipx install /opt/dist/*.whl >/tmp/pipx.log 2>&1 || { cat /tmp/pipx.log; exit 1; }
    env PATH=/root/.local/bin:$PATH bash -eu -o pipefail /opt/dist/tutorial.sh >/tmp/tutorial.log 2>&1 || { tail -n 60 /tmp/tutorial.log; exit 1; }
    grep "All of it holds" /tmp/tutorial.log
    tail -n 1 /tmp/tutorial.log | grep "It can be used."
    [ "$(ls -A /root/empty | tr "\n" " ")" = "bookshop shop " ]
'
UV='
    apt install --no-install-recommends -y python3-venv redis-server bubblewrap
    as_user sh -eu -c "
        mkdir ~/empty && cd ~/empty && python3 -m venv ~/uv && ~/uv/bin/pip install --quiet --disable-pip-version-check uv
        UV_PYTHON_DOWNLOADS=never ~/uv/bin/uv tool install --quiet --python python3 /opt/dist/*.whl
        PATH=~/.local/bin:\$PATH bash -eu -o pipefail /opt/dist/tutorial.sh >~/tutorial.log 2>&1 || { tail -n 60 ~/tutorial.log; exit 1; }
        grep \"All of it holds\" ~/tutorial.log
        tail -n 1 ~/tutorial.log | grep \"It can be used.\""
'
CLONE='
    git -c advice.detachedHead=false clone --quiet /opt/dist/checkout.bundle /root/scenarist && cd /root/scenarist
    make demo >/tmp/demo.log 2>&1 || { tail -n 20 /tmp/demo.log; exit 1; }
    tail -n 1 /tmp/demo.log
'
TESTS_ROOT='
    git -c advice.detachedHead=false clone --quiet /opt/dist/checkout.bundle /root/scenarist && cd /root/scenarist
    make test ARGS="$(cat /opt/dist/tests)" >/tmp/test.log 2>&1 || { tail -n 60 /tmp/test.log; exit 1; }
    tail -n 1 /tmp/test.log
'
# An ordinary user cannot install packages: what `make demo` asks for is installed as it says, and then it has to go on.
CLONE_USER='
    as_user git -c advice.detachedHead=false clone --quiet /opt/dist/checkout.bundle /home/somebody/scenarist && cd /home/somebody/scenarist
    for try in 1 2 3 4; do
        as_user make demo >/tmp/demo.log 2>&1 && break
        wanted=$(sed -n "s/.*install Debian.s packages* \([a-z0-9.-]*\)\..*/\1/p" /tmp/demo.log | tail -n 1)
        [ -n "$wanted" ] || { tail -n 20 /tmp/demo.log; exit 1; }
        echo "  it asks for Debian'\''s $wanted"
        apt install --no-install-recommends -y "$wanted"
    done
    tail -n 1 /tmp/demo.log
'

# check SUITE NAME SCRIPT
check() {
    if said=$(inside "$1" "$PREPARE$3" 2>&1 </dev/null); then
        say "$1 $(chroot "$ROOTS/$1" python3 --version), $2: passed"
    else
        say "$1 $(chroot "$ROOTS/$1" python3 --version), $2: FAILED"
        failed=1
    fi
    printf '%s\n' "$said" | sed 's/^/    /'
}

[ "$(id -u)" -eq 0 ] && command -v debootstrap >/dev/null || { say "This needs root and Debian's package debootstrap." >&2; exit 2; }
[ $# -gt 0 ] || set -- pipx uv
build
for suite in $SUITES; do
    make_root "$suite" || { say "$suite: its root could not be made (see $ROOTS/$suite.log)"; failed=1; continue; }
    for what in "$@"; do
        case $what in
        pipx) check "$suite" "wheel with pipx and the tutorial, as root" "$PIPX" ;;
        uv) check "$suite" "wheel with uv tool and the tutorial, as an ordinary user" "$UV" ;;
        clone) check "$suite" "make demo in a clone, as root" "$CLONE" ;;
        clone-user) check "$suite" "make demo in a clone, as an ordinary user" "$CLONE_USER" ;;
        tests)
            printf '%s' "${TESTS:?says which tests}" >"$dist/tests"
            check "$suite" "make test in a clone, as root" "$TESTS_ROOT"
            ;;
        *) say "There is no check $what." >&2; exit 2 ;;
        esac
    done
done
exit $failed
