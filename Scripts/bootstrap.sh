#!/usr/bin/env bash
# Makes a checkout ready to run:  Scripts/bootstrap.sh tool|tests
#
# libtorch into .torch/ (or HOLDFAST_TORCH), the shim compiled against it, a release build. Each stage does
# nothing when there is nothing to do; an interrupted one is taken up or done again, since what counts as finished is
# renamed into place last. Two at once wait for one another.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
what=${1:-tool}
own=$root/.torch
release=2.13.0
mkdir -p "$own"

say() { printf '[%3d s] %s\n' "$SECONDS" "$*" >&2; }
fail() { printf 'holdfast: %s\n' "$@" >&2; exit 1; }

if command -v flock >/dev/null; then
  exec 9>"$own/lock"
  flock -n 9 || { say "another bootstrap is at work here; waiting for it"; flock 9; }
fi
printf 'started\n' >"$own/built.new"  # its time tells what changed since

# ---- which PyTorch

if [ -n "${HOLDFAST_TORCH:-}" ]; then
  [ -d "$HOLDFAST_TORCH/lib" ] || fail "HOLDFAST_TORCH=$HOLDFAST_TORCH is not the folder of a PyTorch package: it has no lib/" \
    "python3 -c 'import torch; print(torch.__path__[0])' prints the folder to name"
  torch=$(cd "$HOLDFAST_TORCH" && pwd)
else
  torch=$(cat "$own/folder" 2>/dev/null || true)  # the one used last
  [ -n "$torch" ] && [ -d "$torch/lib" ] || torch=$own/libtorch/torch
fi

# ---- what must be there already; everything that is missing is said at once

source "$root/Scripts/prerequisites.sh"
check_prerequisites

# ---- the packages, fetched while libtorch is

packages=
if ! [ -d "$root/.build/checkouts" ]; then
  (cd "$root" && swift package resolve >/dev/null 2>&1) &
  packages=$!
fi

# ---- libtorch

# Asks pip for a wheel and keeps the C++ library of it. Nothing is installed into any Python environment.
install_torch() {
  local python=python3 spec report=$own/report.json options=() found=
  rm -rf "$own"/incoming
  if ! python3 -m pip --version >/dev/null 2>&1; then
    rm -rf "$own/venv"
    python3 -m venv "$own/venv"
    python=$own/venv/bin/python
  fi
  # Settings that forbid or bend an installation into a folder are about other folders than ours.
  export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1

  say "libtorch: asking pip, with your settings, for torch==$release+cpu, then for torch==$release"
  cat >&2 <<TEXT
        A wheel for the CPU is a download of about 200 MB, one for CUDA with its libraries up to 3 GB.
        A PyTorch from 2.11 to 2.13 that is here already avoids it:
        HOLDFAST_TORCH=\$(python3 -c 'import torch; print(torch.__path__[0])') ./holdfast
TEXT
  for spec in "torch==$release+cpu" "torch==$release"; do
    # The wheel for the CPU needs no other package for its C++ library; one for CUDA needs NVIDIA's.
    options=(--no-deps)
    [ "$spec" = "torch==$release+cpu" ] || options=()
    if "$python" -m pip install --dry-run --quiet --ignore-installed ${options[@]+"${options[@]}"} --report "$report" "$spec" >"$own/pip.log" 2>&1; then
      found=$spec
      break
    fi
    sed 's/^/        /' "$own/pip.log" | grep -i -E 'error|no matching|could not' | tail -n 2 >&2 || true
  done
  [ -n "$found" ] || fail "pip found no PyTorch $release (the whole answer is in .torch/pip.log)" \
    "check the network and pip's settings (python3 -m pip config list), or set HOLDFAST_TORCH to a PyTorch folder"
  "$python" - "$report" <<'PYTHON' >&2
import json, os, sys, urllib.parse
items = json.load(open(sys.argv[1]))["install"]
known, total = True, 0
for item in items:
    url = urllib.parse.urlsplit(item["download_info"]["url"])
    if url.scheme == "file":
        total += os.path.getsize(urllib.parse.unquote(url.path))
    else:
        known = False
torch = next(item for item in items if item["metadata"]["name"] == "torch")
cuda = any(item["metadata"]["name"].startswith(("nvidia-", "cuda-")) for item in items)
size = f"{total / 1e6:.0f} MB, from a folder of this machine" if known else "about 3 GB" if cuda else "about 200 MB"
print(f"        taking torch {torch['metadata']['version']} ({size})")
PYTHON
  "$python" -m pip install --no-compile --ignore-installed --root-user-action=ignore ${options[@]+"${options[@]}"} \
    --target "$own/incoming" "$found" >&2 || fail "pip could not install $found; run again to take it up"

  # Of all that, the C++ library, its headers and its licence; NVIDIA's libraries lie where libtorch looks for them.
  local from=$own/incoming into=$own/incoming/keep
  mkdir -p "$into/torch"
  mv "$from/torch/include" "$from/torch/lib" "$from/torch/version.py" "$into/torch/"
  rm -rf "$into"/torch/lib/*_test.* "$into"/torch/lib/libtorch_python* "$into"/torch/lib/libshm*
  cp -R "$from"/torch-*.dist-info "$into/"
  for folder in "$from"/nvidia*; do
    case $folder in *.dist-info) cp -R "$folder" "$into/" ;; *) [ -d "$folder" ] && mv "$folder" "$into/" ;; esac
  done
  rm -rf "$own/libtorch" "$own/venv" "$report"
  mv "$into" "$own/libtorch"
  rm -rf "$from"
  say "libtorch: in .torch/libtorch"
}
[ "$torch" != "$own/libtorch/torch" ] || [ -d "$torch/lib" ] || install_torch
version=$(sed -n "s/^__version__ = '\([^']*\)'.*/\1/p" "$torch/version.py" 2>/dev/null || true)
case $version in
2.11.* | 2.12.* | 2.13.* | "") ;;
*) say "note: $torch is PyTorch $version; Holdfast is tested with 2.11 to 2.13" ;;
esac
printf '%s\n' "$torch" >"$own/folder.new" && mv "$own/folder.new" "$own/folder"

# ---- the shim

processor=$(grep -m 1 '^model name' /proc/cpuinfo 2>/dev/null || true)
before=$(stat -c %Y "$own/libctorch.so" 2>/dev/null || true)
[ -n "$before" ] && [ -z "$(find "$root/Shim" "$root/Sources/CTorch" "$root/Scripts/build-shim.sh" -newer "$own/libctorch.so" -print -quit)" ] ||
  say "shim: compiling it against PyTorch ${version:-in $torch} (about a minute)"
# Nothing in Swift waits for it, and a build from nothing does not keep all processors busy all the time.
{
  "$root/Scripts/build-shim.sh" "$torch" "$own/libctorch.so" || fail "the shim did not compile (above); the rest is built all the same"
  [ "$before" = "$(stat -c %Y "$own/libctorch.so" 2>/dev/null || true)" ] || say "shim: ready"
} &
shim=$!

# ---- Holdfast

cd "$root"
[ -z "$packages" ] || wait "$packages" || true  # what is wrong, the build says
case $what in
tests) say "building Holdfast and its tests in release mode (the first time takes minutes)"
  swift build -c release --build-tests >&2 || { wait "$shim" || true; fail "the build failed"; } ;;
*) say "building Holdfast in release mode (the first time takes minutes)"
  swift build -c release --product holdfast >&2 || { wait "$shim" || true; fail "the build failed"; } ;;
esac
wait "$shim" || fail "the shim did not compile; its complaint stands further up"
printf '%s\n%s\n' "$torch" "$processor" >"$own/built.text"
touch -r "$own/built.new" "$own/built.text"
mv "$own/built.text" "$own/built"
rm -f "$own/built.new"
say "ready"
