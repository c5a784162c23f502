#!/usr/bin/env bash
# The first honest run on a real checkpoint: stories260K is taught GSM8K text by full, low-rate full and Half Fine-Tuning;
# nats a token on the new text and on stories, before and after. Needs ../shared. Results: Docs/first-run.md.
# usage: Scripts/first_run.sh [STEPS]
set -euo pipefail
cd "$(dirname "$0")/.."
steps=${1:-120}
out=runs/first-run
rm -rf "$out"
mkdir -p "$out"
python3 - "$out" <<'PY'
import json, sys
out = sys.argv[1]
def rows(name, count):
    with open(f"../shared/data/gsm8k/{name}.jsonl") as f:
        for _, line in zip(range(count), f):
            r = json.loads(line)
            yield r["question"] + "\n" + r["answer"] + "\n"
with open(f"{out}/gsm8k.jsonl", "w") as f:
    for text in rows("train", 1500): f.write(json.dumps({"text": text}) + "\n")
open(f"{out}/gsm8k-test.txt", "w").write("".join(rows("test", 100)))
open(f"{out}/stories.txt", "w").write(open("../shared/data/tinystories-text/tinystories-cased-197k.txt").read()[:60000])
PY
measure() { ./holdfast evaluate --model "$1" --text "$out/gsm8k-test.txt" --text "$out/stories.txt" --json --threads 1 | sed "s#^#$2 #"; }
cat > "$out/recipe.yaml" <<YAML
model: ../shared/models/stories260K
objective: pretraining
data: [{path: $out/gsm8k.jsonl, format: text}]
sequence_length: 256
batch: {rows: 8}
steps: $steps
learning_rate: 1.0e-3
schedule: {kind: cosine, warmup: 0.05}
seed: 1
threads: 1
checkpoint: {every: $steps, keep: 1}
YAML
measure ../shared/models/stories260K base
for way in full:1.0e-3 full:2.0e-4 half:1.0e-3; do
  method=${way%%:*} rate=${way##*:}
  ./holdfast tune "$out/recipe.yaml" --method "$method" --learning-rate "$rate" --output "$out/$method-$rate" 2>/dev/null >/dev/null
  measure "$out/$method-$rate/final" "$method-$rate"
done
