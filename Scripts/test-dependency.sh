#!/usr/bin/env bash
# Proves that another package can depend on this one: a copy of the checkout as it is now, tagged 1.0.0, is depended on by version, which makes
# SwiftPM refuse unsafe flags. Everything stays in .build/dependency.
#
#   Scripts/test-dependency.sh          SwiftPM takes the package; its program is compiled against the modules that the tests built, linked with them and run
#   Scripts/test-dependency.sh --full   SwiftPM builds that package and all of Holdfast's library from nothing (4 minutes), and runs it
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
# What SwiftPM remembers of the copy's last state goes: the tag is always the same one.
rm -rf "$work/build/workspace-state.json" "$work/build/checkouts/Holdfast" "$work"/{build,cache}/repositories/Holdfast-* "$work/security"
cp -Rn .build/repositories/. "$work/build/repositories/"  # the dependencies' own repositories are fetched already
export HOLDFAST_COPY=file://$copy
package=(--package-path "$work/package" --scratch-path "$work/build" --cache-path "$work/cache" --security-path "$work/security")

if [ "${1:-}" = --full ]; then
  swift build "${package[@]}" -c debug --disable-index-store
  "$work/build/debug/Dependent"
  exit
fi

# Reading the graph of packages is where unsafe flags are refused.
swift package "${package[@]}" show-dependencies >"$work/graph.txt"
release=.build/release
flags=(-swift-version 6 -I "$release/Modules")
while IFS= read -r map; do flags+=(-Xcc "-fmodule-map-file=$map"); done < <(
  find Sources .build/checkouts/swift-crypto/Sources .build/checkouts/Yams/Sources -name module.modulemap)
# What the product is made of: its rooms, and the packages that they import.
rooms=$(sed -n '/^      name: "Holdfast",$/,/\],/p' Package.swift | grep -oE 'Holdfast[A-Z][A-Za-z]+' | sort -u)
for part in Holdfast $rooms Crypto CryptoBoringWrapper CCryptoBoringSSL CCryptoBoringSSLShims CXKCP CXKCPShims Yams CYaml; do
  [ -d "$release/$part.build" ] || continue
  while IFS= read -r object; do flags+=("$object"); done < <(find "$release/$part.build" -name '*.o')
done
swiftc "${flags[@]}" "$work/package/Sources/Dependent/main.swift" -lstdc++ -o "$work/Dependent"
"$work/Dependent"
