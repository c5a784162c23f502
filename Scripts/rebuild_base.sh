#!/usr/bin/env bash
# Trains the shipped base model anew from the little world and says whether the weights are those of World/base.
# usage: Scripts/rebuild_base.sh [--replace]     --replace puts the new model in World/base
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf runs/world
./holdfast world --output runs/world --documents 320000
./holdfast tune World/base.yaml
if [ "${1:-}" = "--replace" ]; then
  rm -rf World/base
  cp -r runs/world/run/final World/base
fi
if cmp runs/world/run/final/model.safetensors World/base/model.safetensors; then
  echo "the same bytes: $(sha256sum World/base/model.safetensors | cut -c1-16)"
else
  echo "other bytes: another kind of processor, libtorch or number of threads gives other last bits" >&2
  exit 1
fi
