#!/bin/sh
# Builds the images, prints their sizes, and writes a bill of materials (CycloneDX) for each into .cache/sbom.
#
#   sh scripts/build_images.sh [--debian] [bot] [runner] [runner-gpu]
#
# The base image is pulled and pinned by its digest for this build. `--debian` needs no registry of images: it makes the
# base with debootstrap (as root), from Debian's own Python. ENGINE is docker or podman, with options of its own if need
# be; TAG is the version; BUILD are more words for the engine's `build`.
set -eu

cd -P "$(dirname "$0")/.."
PYTHON_IMAGE=${PYTHON_IMAGE:-python:3.12-slim-bookworm}
VLLM_IMAGE=${VLLM_IMAGE:-vllm/vllm-openai:v0.33.0}
TAG=${TAG:-0.1.0}

say() { printf '%s\n' "$*"; }
fail() { printf 'images: %s\n' "$*" >&2; exit 1; }

find_engine() {
    for name in docker podman; do
        command -v "$name" >/dev/null 2>&1 && { say "$name"; return; }
    done
    fail "Docker or podman is needed: install one of them, or name it in ENGINE."
}

# debian_base: import a Debian with Python as the image that it prints.
debian_base() {
    command -v debootstrap >/dev/null 2>&1 || fail "--debian needs debootstrap: install Debian's package of that name."
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm "$root" \
        "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >&2 || fail "debootstrap could not make a Debian; see above."
    rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*
    tar -C "$root" -c . | $ENGINE import - scenarist-debian-base >/dev/null || fail "$ENGINE could not import the Debian."
    say scenarist-debian-base
}

# pinned IMAGE: pull it, and print it with the digest that the registry gave.
pinned() {
    $ENGINE pull --quiet "$1" >/dev/null || fail "$1 cannot be pulled. \`--debian\` needs no registry (not for runner-gpu)."
    $ENGINE image inspect --format '{{index .RepoDigests 0}}' "$1"
}

ENGINE=${ENGINE:-$(find_engine)}
debian=
targets=
for word in "$@"; do
    case $word in
    --debian) debian=1 ;;
    bot | runner | runner-gpu) targets="$targets $word" ;;
    *) fail "unknown: $word. There are --debian, bot, runner, runner-gpu." ;;
    esac
done
targets=${targets:-bot runner}
case $targets in
*runner-gpu*) VLLM_IMAGE=$(pinned "$VLLM_IMAGE") ;;
esac
case " $targets " in
*" bot "* | *" runner "*) if [ "$debian" ]; then PYTHON_IMAGE=$(debian_base); else PYTHON_IMAGE=$(pinned "$PYTHON_IMAGE"); fi ;;
esac
mkdir -p .cache/sbom
for target in $targets; do
    image=scenarist-$target:$TAG
    # shellcheck disable=SC2086 # ENGINE and BUILD are lists of words
    $ENGINE build ${BUILD:-} --target "$target" --tag "$image" --build-arg "PYTHON_IMAGE=$PYTHON_IMAGE" \
        --build-arg "VLLM_IMAGE=$VLLM_IMAGE" . >&2 || fail "$target could not be built; see above."
    # shellcheck disable=SC2086
    $ENGINE run --rm -i --network none --read-only --entrypoint python3 "$image" - "$image" <scripts/sbom.py \
        >".cache/sbom/$target.cdx.json" || fail "$image does not run."
    bytes=$($ENGINE image inspect --format '{{.Size}}' "$image")
    parts=$(grep -c '"purl"' ".cache/sbom/$target.cdx.json")
    say "$image: $((bytes / 1000000)) MB, on $PYTHON_IMAGE; $parts parts in .cache/sbom/$target.cdx.json"
done
