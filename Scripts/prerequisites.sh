# Sourced by bootstrap.sh: what a machine must have, each missing thing with the command that installs it.

# A command that installs packages here; the first list is Debian's names, the second Fedora's.
install_command() {
  local as=
  [ "$(id -u)" = 0 ] || as="sudo "
  if command -v apt-get >/dev/null; then
    echo "${as}apt-get update && ${as}apt-get install -y $1"
  elif command -v dnf >/dev/null; then
    echo "${as}dnf install -y $2"
  elif [ "$(uname)" = Darwin ]; then
    echo "xcode-select --install"
  else
    echo "install (Debian's names): $1"
  fi
}

check_prerequisites() {
  local missing=() scratch
  # Looked at once for each set of tools; the paths and versions of the tools are the key.
  local key
  key="$(command -v swift swiftc git python3 g++ clang++ flock || true) ${CXX:-} $(swift --version 2>/dev/null | head -n 1 || true) $(python3 --version 2>/dev/null || true) sqlite3"
  [ "$key" = "$(cat "$own/prerequisites" 2>/dev/null)" ] && [ -d "$torch/lib" ] && return
  scratch=$(mktemp -d)

  local swift_version
  swift_version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1 || true)
  if [ -z "$swift_version" ] || [ "$(printf '6.1\n%s\n' "$swift_version" | sort -V | head -n 1)" != 6.1 ]; then
    missing+=("Swift 6.1 or newer${swift_version:+ (here is $swift_version)}
      curl -O https://download.swift.org/swiftly/linux/swiftly-$(uname -m).tar.gz && tar zxf swiftly-$(uname -m).tar.gz && ./swiftly init")
  elif ! printf 'import Foundation\nprint(1)\n' >"$scratch/try.swift" || ! swiftc "$scratch/try.swift" -o "$scratch/try" >"$own/swift.log" 2>&1; then
    missing+=("packages that the Swift compiler needs (it could not compile one line; see .torch/swift.log)
      $(install_command "binutils libc6-dev libcurl4-openssl-dev libedit2 libgcc-12-dev libncurses-dev libpython3-dev libsqlite3-0 libstdc++-12-dev libxml2-dev libz3-dev tzdata zlib1g-dev" \
        "binutils gcc glibc-devel libcurl-devel libedit libstdc++-devel libxml2-devel ncurses-devel python3-devel sqlite-libs zlib-devel")")
  fi

  local compiler=${CXX:-$(command -v g++ || command -v clang++ || true)}
  if [ -z "$compiler" ]; then
    missing+=("a C++ compiler
      $(install_command g++ gcc-c++)")
  elif ! printf '#include <concepts>\n#include <vector>\nint main() { return 0; }\n' >"$scratch/try.cpp" ||
    ! "$compiler" -std=c++20 "$scratch/try.cpp" -o "$scratch/try" >"$own/compiler.log" 2>&1; then
    missing+=("a C++ compiler that knows C++20, such as g++ 11 ($compiler could not compile one line; see .torch/compiler.log)
      $(install_command g++ gcc-c++)")
  fi

  # Apple's SDK has SQLite; elsewhere its header and library are a package. Without a compiler the header must do.
  if [ "$(uname)" = Linux ]; then
    printf '#include <sqlite3.h>\nint main() { return sqlite3_libversion_number() == 0; }\n' >"$scratch/sqlite.cpp"
    if [ -n "$compiler" ] && "$compiler" "$scratch/try.cpp" -std=c++20 -o "$scratch/try" >/dev/null 2>&1; then
      "$compiler" "$scratch/sqlite.cpp" -lsqlite3 -o "$scratch/sqlite" >"$own/sqlite.log" 2>&1
    else
      [ -f /usr/include/sqlite3.h ] || [ -f /usr/local/include/sqlite3.h ]
    fi || missing+=("SQLite's header and library, for the index of runs (see .torch/sqlite.log)
      $(install_command libsqlite3-dev sqlite-devel)")
  fi

  command -v git >/dev/null || missing+=("git
      $(install_command git git)")
  [ "$(uname)" != Linux ] || command -v flock >/dev/null || missing+=("flock
      $(install_command util-linux util-linux)")

  if [ ! -d "$torch/lib" ]; then
    if ! command -v python3 >/dev/null; then
      missing+=("python3, for pip to fetch libtorch (not needed when HOLDFAST_TORCH names a PyTorch folder)
      $(install_command "python3 python3-venv" "python3 python3-pip")")
    elif ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
      missing+=("Python 3.10 or newer, for pip to fetch libtorch (here is $(python3 --version)); or HOLDFAST_TORCH=FOLDER of a PyTorch
      $(install_command "python3 python3-venv" "python3 python3-pip")")
    elif ! python3 -c 'import pip' 2>/dev/null && ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
      missing+=("pip, or Python's venv, to fetch libtorch (not needed when HOLDFAST_TORCH names a PyTorch folder)
      $(install_command python3-venv python3-pip)")
    fi
  fi

  rm -rf "$scratch"
  if [ ${#missing[@]} -gt 0 ]; then
    echo "holdfast: this machine lacks what it takes to build; please install" >&2
    printf '  - %s\n' "${missing[@]}" >&2
    exit 1
  fi
  printf '%s\n' "$key" >"$own/prerequisites"
}
