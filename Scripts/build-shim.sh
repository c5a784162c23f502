#!/usr/bin/env bash
# Compiles the shim against a PyTorch:  Scripts/build-shim.sh TORCH_DIR OUT
#
# TORCH_DIR is the Python package's folder, the one that holds include/ and lib/; OUT is the library to write.
# Objects stay in OUT.objects, so a second run compiles what changed. Needs nothing but a C++20 compiler
# (CXX names one; else g++, else clang++), so it works on a machine without Swift too.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
[ $# = 2 ] || { echo "usage: $0 TORCH_DIR OUT" >&2; exit 64; }
[ -d "$1" ] || { echo "$1: no such folder" >&2; exit 1; }
torch=$(cd "$1" && pwd)
mkdir -p "$(dirname "$2")"
out=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
objects=$out.objects

[ -f "$torch/include/ATen/ATen.h" ] && [ -d "$torch/lib" ] || {
  echo "$torch is not the folder of a PyTorch package: it lacks include/ATen/ATen.h or lib/" >&2
  echo "  python3 -c 'import torch; print(torch.__path__[0])' prints the folder to name" >&2
  exit 1
}
compiler=${CXX:-$(command -v g++ || command -v clang++ || true)}
[ -n "$compiler" ] || { echo "no C++ compiler found; on Debian or Ubuntu: apt-get install g++" >&2; exit 1; }

flags=(-std=c++20 -O3 -fPIC -fvisibility=hidden -fno-math-errno -fno-trapping-math -DNDEBUG
  -isystem "$torch/include" -isystem "$torch/include/torch/csrc/api/include")
# The kernels are plain loops that the compiler turns into vector code for the processor at hand.
if "$compiler" -march=native -E -x c++ /dev/null >/dev/null 2>&1; then flags+=(-march=native); fi
# The C++ library's strings must be those that PyTorch was built with.
if [ "$(uname)" = Linux ]; then
  if grep -q __cxx11 "$torch/lib/libc10.so"; then flags+=(-D_GLIBCXX_USE_CXX11_ABI=1); else flags+=(-D_GLIBCXX_USE_CXX11_ABI=0); fi
fi

libraries=(-L"$torch/lib" "-Wl,-rpath,$torch/lib" -ltorch -ltorch_cpu -lc10)
[ "$(uname)" = Linux ] && libraries=(-Wl,--no-as-needed "${libraries[@]}")
# PyTorch's own OpenMP runtime: a second one in the process would keep threads of its own.
openmp=$(ls "$torch"/lib/libgomp*.so* "$torch"/lib/libiomp5*.so* "$torch"/lib/libomp*.dylib 2>/dev/null | head -n 1 || true)
if [ "$(uname)" = Linux ]; then
  flags+=(-fopenmp)
  if [ -n "$openmp" ]; then libraries+=("$openmp"); else libraries+=(-fopenmp); fi
elif [ -n "$openmp" ]; then
  libraries+=("$openmp")
fi
if [ -f "$torch/lib/libtorch_cuda.so" ]; then
  libraries+=(-ltorch_cuda -lc10_cuda)
  # Device names and memory statistics need the CUDA runtime's headers; without them the rest still works.
  for folder in "${CUDA_HOME:-/usr/local/cuda}/include" "$torch"/../nvidia/*/include; do
    if [ -f "$folder/cuda_runtime_api.h" ]; then
      flags+=(-DHOLDFAST_CUDA -isystem "$folder")
      break
    fi
  done
  case " ${flags[*]} " in
  *HOLDFAST_CUDA*)
    for folder in "$torch"/../nvidia/*/include; do [ -d "$folder" ] && flags+=(-isystem "$folder"); done ;;
  *) echo "note: cuda_runtime_api.h was not found (CUDA_HOME names a toolkit); the shim goes without device statistics" >&2 ;;
  esac
fi

# Whatever else decides the objects: when it changes, they are made anew.
mkdir -p "$objects"
key=$("$compiler" --version | head -n 1; cat "$torch/version.py" 2>/dev/null; grep -m 1 'model name' /proc/cpuinfo 2>/dev/null || true; echo "${flags[@]}" "${libraries[@]}")
if [ "$key" != "$(cat "$objects/key" 2>/dev/null)" ]; then
  rm -rf "$objects" && mkdir -p "$objects"
  printf '%s\n' "$key" >"$objects/key"
fi

# PyTorch's headers take most of the time, so the files are compiled in as many groups as there are processors, each group
# as one unit (names in a file's anonymous namespace must therefore differ from those of its neighbours). Who works
# on the shim sets SHIM_GROUPS=99 and gets an object for every file.
headers=$(find "$root/Shim" "$root/Sources/CTorch" -name '*.h'; echo "$root/Scripts/build-shim.sh")
jobs=$(getconf _NPROCESSORS_ONLN)
sources=()
while read -r _ source; do sources+=("$source"); done < <(find "$root/Shim" -name '*.cpp' -exec wc -c {} \; | sort -rn)
groups=${SHIM_GROUPS:-$jobs}
[ "$groups" -le ${#sources[@]} ] || groups=${#sources[@]}

# The largest file first, each to the group that has least so far.
declare -a sizes=() member_of=()
for ((group = 0; group < groups; group++)); do sizes[group]=0; done
for ((i = 0; i < ${#sources[@]}; i++)); do
  least=0
  for ((group = 1; group < groups; group++)); do [ "${sizes[group]}" -ge "${sizes[least]}" ] || least=$group; done
  member_of[i]=$least
  sizes[least]=$((sizes[least] + $(wc -c <"${sources[i]}")))
done

stale=()
all=()
for ((group = 0; group < groups; group++)); do
  members=()
  for ((i = 0; i < ${#sources[@]}; i++)); do [ "${member_of[i]}" != "$group" ] || members+=("${sources[i]}"); done
  unit=$objects/$groups-$group.cpp
  all+=("${unit%.cpp}.o")
  text=$(printf '#include "%s"\n' "${members[@]}")
  [ "$text" = "$(cat "$unit" 2>/dev/null)" ] || printf '%s\n' "$text" >"$unit"
  if ! [ -f "${unit%.cpp}.o" ] || [ -n "$(find "$unit" "${members[@]}" $headers -newer "${unit%.cpp}.o" -print -quit)" ]; then
    stale+=("$unit")
  fi
done

if [ ${#stale[@]} -gt 0 ]; then
  printf '%s\0' "${stale[@]}" | xargs -0 -n 1 -P "$jobs" bash -c '
    unit=${!#}
    "$@" -c -o "${unit%.cpp}.partial" && mv "${unit%.cpp}.partial" "${unit%.cpp}.o" || exit 255' \
    compile "$compiler" "${flags[@]}"
fi

if [ ${#stale[@]} -gt 0 ] || ! [ -f "$out" ] || [ -n "$(find "${all[@]}" -newer "$out" -print -quit)" ]; then
  "$compiler" -shared -o "$out.partial" "${all[@]}" "${libraries[@]}"
  mv "$out.partial" "$out"
fi
