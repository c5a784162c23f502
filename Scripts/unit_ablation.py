#!/usr/bin/env python3
"""Does CoFiTune's importance say what a unit is worth (claim C8)? Spearman's rank correlation with what losing the unit costs.

usage: Scripts/unit_ablation.py [--work FOLDER] [--units 64] [--seeds 1,2,3] [--batches 60]

For each layer of the shipped model, units of the MLP drawn by the seed are taken away one at a time (their column of `down` is zero), and the loss on
general text and on the domain's is measured. The importance is what a one-step run of `cofitune` recorded, with the seed of its dropout; shuffled values are the control."""
import argparse, json, math, os, random, shutil, statistics, struct, subprocess, sys

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
parser = argparse.ArgumentParser()
parser.add_argument("--work", default=os.path.join(root, "runs", "unit-ablation"))
parser.add_argument("--units", type=int, default=64)
parser.add_argument("--seeds", default="1,2,3")
parser.add_argument("--batches", type=int, default=60)
arguments = parser.parse_args()
holdfast = os.environ.get("HOLDFAST", os.path.join(root, "holdfast"))
base, work = os.path.join(root, "World", "base"), os.path.abspath(arguments.work)
shutil.rmtree(work, ignore_errors=True)
os.makedirs(work)


def run(*words):
    done = subprocess.run([holdfast, *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return done.stdout


run("world", "--output", f"{work}/world", "--documents", "1000", "--train", "1000", "--held-out", "40")
texts = {"general": ["facts", "sums", "stories"], "domain": ["clinic"]}
tasks = [f"  - {{name: {f}, kind: reference, world: {f}, limit: 40, metric: log_likelihood}}" for families in texts.values() for f in families]
open(f"{work}/suite.yaml", "w").write("name: answers\ntasks:\n" + "\n".join(tasks) + "\n")


def read(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + size]), data[8 + size :], data[: 8 + size]


def losses(model):
    """Nats a label of right answers."""
    lines = run("evaluate", "--model", model, "--suite", f"{work}/suite.yaml", "--no-cache", "--json", "--threads", "1")
    found = {r["name"]: r["value"] for r in map(json.loads, lines.splitlines())}
    return {n: -statistics.mean(found[f] for f in families) for n, families in texts.items()}


def importance(seed, signal):
    recipe = f"{work}/cofitune.yaml"
    open(recipe, "w").write(f"""model: {base}
method: {{cofitune: {{layers: [0%, 100%], importance: {{batches: {arguments.batches}, seed: {seed}, {signal}}}}}}}
data: [{{path: {work}/world/clinic.train.jsonl, format: prompt_completion, train_on: all}}]
sequence_length: 128
batch: {{rows: 8}}
steps: 1
learning_rate: 1.0e-9
threads: 1
seed: {seed}
artifacts: {work}/artifacts-{seed}
output: {work}/run
""")
    shutil.rmtree(f"{work}/run", ignore_errors=True)
    shutil.rmtree(f"{work}/artifacts-{seed}", ignore_errors=True)
    run("tune", recipe)
    folder = next(f for f in os.listdir(f"{work}/artifacts-{seed}") if f.startswith("importance-"))
    header, data, _ = read(f"{work}/artifacts-{seed}/{folder}/tensors.safetensors")
    values = {}
    for name, h in header.items():
        if name.startswith("inner."):
            low, high = h["data_offsets"]
            values[int(name.split(".")[1])] = list(struct.unpack(f"<{(high - low) // 4}f", data[low:high]))
    return values


def ranks(values):
    order = sorted(range(len(values)), key=lambda i: values[i])
    result, at = [0.0] * len(values), 0
    while at < len(order):
        end = at
        while end + 1 < len(order) and values[order[end + 1]] == values[order[at]]:
            end += 1
        for place in order[at : end + 1]:
            result[place] = (at + end) / 2
        at = end + 1
    return result


def spearman(a, b):
    a, b = ranks(a), ranks(b)
    return statistics.correlation(a, b)


header, data, head = read(f"{base}/model.safetensors")
start = losses(base)
layers = json.load(open(f"{base}/config.json"))["num_hidden_layers"]
model = f"{work}/ablated"
shutil.copytree(base, model)
drawn, cost = {}, {}
generator = random.Random(0)
for layer in range(layers):
    h = header[f"model.layers.{layer}.mlp.down_proj.weight"]
    assert h["dtype"] == "F32"
    rows, columns = h["shape"]
    drawn[layer] = sorted(generator.sample(range(columns), min(arguments.units, columns)))
    for unit in drawn[layer]:
        changed = bytearray(data)
        for row in range(rows):
            at = h["data_offsets"][0] + 4 * (row * columns + unit)
            changed[at : at + 4] = b"\0\0\0\0"
        open(f"{model}/model.safetensors", "wb").write(head + changed)
        found = losses(model)
        cost[layer, unit] = {n: found[n] - start[n] for n in texts}
    print(f"layer {layer}: {len(drawn[layer])} units, general {statistics.mean(cost[layer, u]['general'] for u in drawn[layer]):+.4f} nats each", file=sys.stderr, flush=True)

seeds = [int(s) for s in arguments.seeds.split(",")]
quantile = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}


def interval(values):
    half = quantile[len(values) - 1] * statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):+.2f} ± {half:.2f}"


print(f"{arguments.units} units a layer; Spearman's correlation within a layer, mean over {layers} layers, and over {len(seeds)} seeds of dropout and examples with 95 % t intervals\n")
print("| importance | with the loss on general text | with the loss on the domain |\n|---|---:|---:|")
for label, signal in {"tanh of absolute sums (default)": "norm: tanh_z", "ranks of absolute sums": "norm: rank", "tanh of signed sums (as published)": "norm: tanh_z, accumulate: signed",
                      "shuffled": None}.items():
    by_text = {n: [] for n in texts}
    for seed in seeds:
        values = importance(seed, signal or "norm: rank")
        if not signal:
            for layer in values:
                random.Random(seed).shuffle(values[layer])
        for n in texts:
            by_text[n].append(statistics.mean(spearman([values[l][u] for u in drawn[l]], [cost[l, u][n] for u in drawn[l]]) for l in range(layers)))
    print(f"| {label} | " + " | ".join(interval(by_text[n]) for n in texts) + " |", flush=True)
