#!/usr/bin/env bash
# Proves that another package can depend on this one: a copy of the checkout as it is now, tagged 1.0.0, is depended on
# by version (SwiftPM then refuses unsafe flags), built and run. Everything stays in .build/dependency.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
work=$PWD/.build/dependency
copy=$work/Holdfast
rm -rf "$copy" "$work/package" && mkdir -p "$copy" "$work/package"

git ls-files -z --cached --others --exclude-standard -- Package.swift Package.resolved Sources Tests Shim |
  while IFS= read -r -d '' file; do
    [ -f "$file" ] || continue
    mkdir -p "$(dirname "$copy/$file")"
    cp -p "$file" "$copy/$file"
  done
git -C "$copy" init -q
git -C "$copy" add -A
git -C "$copy" -c user.name=test -c user.email=test@localhost -c commit.gpgsign=false commit -q -m copy
git -C "$copy" -c user.name=test -c user.email=test@localhost -c tag.gpgsign=false tag 1.0.0

cp -R Tests/Dependency/. "$work/package/"
[ ! -f Package.resolved ] || cp Package.resolved "$work/package/"
mkdir -p "$work/build/repositories"
cp -Rn .build/repositories/. "$work/build/repositories/"  # the dependencies' own repositories are fetched already
export HOLDFAST_COPY=file://$copy
swift build --package-path "$work/package" --scratch-path "$work/build" --cache-path "$work/cache" --security-path "$work/security" \
  -c debug --disable-index-store
"$work/build/debug/Dependent"
