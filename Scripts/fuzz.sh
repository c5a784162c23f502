#!/usr/bin/env bash
# Damaged JSONL rows, chat templates and tokenizer.json files, round after round with other seeds, for at least SECONDS.
#   Scripts/fuzz.sh 600 [FIRST_SEED]
# A round that crashes, hangs (five minutes) or wants more than 8 GiB of address space ends it, with the
# seed that brings it back: HOLDFAST_FUZZ_SEED=N swift test -c release --disable-xctest --filter FuzzTests
# Last result: see Docs/data.md, "Damaged files".
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
seconds=${1:?usage: Scripts/fuzz.sh SECONDS [FIRST_SEED]}
seed=${2:-1}
swift build -c release --build-tests > /dev/null || exit 1
ulimit -v $((8 << 20))
start=$SECONDS rounds=0
while [ $((SECONDS - start)) -lt "$seconds" ]; do
  if ! HOLDFAST_FUZZ_SEED=$seed timeout 300 swift test -c release --skip-build --disable-xctest \
    --filter 'FuzzTests' > .build/fuzz.log 2>&1; then
    tail -n 30 .build/fuzz.log
    echo "seed $seed fails; all of it is in .build/fuzz.log"
    exit 1
  fi
  seed=$((seed + 1)) rounds=$((rounds + 1))
done
echo "$rounds rounds in $((SECONDS - start)) s, up to seed $((seed - 1)): nothing crashed, hung or grew without bound"
