#!/usr/bin/env python3
"""What importance costs: a path integral recorded while training, beside Fisher information as EWCLoRA's code takes it (whole
model, one text at a time, over the host) and for the adapted matrices only, on the same texts; and the bytes of each.

usage: Scripts/importance_cost.py [--work FOLDER] [--hidden 512] [--layers 8] [--documents 96] [--rows 8] [--rounds 3] [--threads 2]

A random Llama with the little world's tokenizer and LoRA on query and value, f32. Each case is a process of its own; the rounds take
the cases in turn, and the table gives medians with the least and the most. Run it on a quiet machine."""
import argparse, json, os, shutil, statistics, subprocess, sys, time

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
arguments = argparse.ArgumentParser()
arguments.add_argument("--work", default=os.path.join(root, "runs", "importance-cost"))
arguments.add_argument("--hidden", type=int, default=512)
arguments.add_argument("--layers", type=int, default=8)
arguments.add_argument("--documents", type=int, default=96)
arguments.add_argument("--length", type=int, default=128)
arguments.add_argument("--rows", type=int, default=8)
arguments.add_argument("--rounds", type=int, default=3)
arguments.add_argument("--threads", type=int, default=2)
arguments = arguments.parse_args()
holdfast = os.environ.get("HOLDFAST", os.path.join(root, "holdfast"))
world = os.path.join(arguments.work, "world")
shutil.rmtree(arguments.work, ignore_errors=True)
os.makedirs(arguments.work)
subprocess.run([holdfast, "world", "--output", world, "--documents", str(40 * arguments.documents), "--train", "1", "--held-out", "1"],
               check=True, capture_output=True)
model = os.path.join(arguments.work, "model")
shutil.copytree(os.path.join(world, "large"), model)
configuration = json.load(open(os.path.join(model, "config.json")))
configuration.update(hidden_size=arguments.hidden, intermediate_size=3 * arguments.hidden, num_hidden_layers=arguments.layers,
                     num_attention_heads=arguments.hidden // 32, num_key_value_heads=arguments.hidden // 64)
json.dump(configuration, open(os.path.join(model, "config.json"), "w"))
# Texts long enough that a row is full: what is compared is work on the same tokens.
texts, text = [], ""
for line in open(os.path.join(world, "pretraining.jsonl")):
    row = json.loads(line)
    text += row.get("text") or row["prompt"] + row["completion"] + "\n"
    if len(text) > 6 * arguments.length:
        texts.append(text)
        text = ""
assert len(texts) >= arguments.documents, f"only {len(texts)} long texts"
data = os.path.join(arguments.work, "general.jsonl")
with open(data, "w") as file:
    for text in texts[: arguments.documents]:
        file.write(json.dumps({"text": text}) + "\n")
steps = arguments.documents // arguments.rows


def recipe(name, method, steps, adapter=True):
    return f"""model: {model}
initialize: random
data: [{{path: {data}}}]
objective: pretraining
packing: false
too_long: truncate
sequence_length: {arguments.length}
batch: {arguments.rows}
steps: {steps}
learning_rate: 1.0e-4
threads: {arguments.threads}
checkpoint: {{every: 100000, keep: 1}}
output: {arguments.work}/{name}
artifacts: {arguments.work}/{name}-artifacts
{'adapter: {lora: {rank: 8, alpha: 16, targets: [q_proj, v_proj]}}' if adapter else ''}
method: {method}
"""


def run(name, method, steps):
    """Seconds of the preparation and of the training steps, peak bytes, and bytes of what was kept."""
    for end in ["", "-artifacts"]:
        shutil.rmtree(f"{arguments.work}/{name}{end}", ignore_errors=True)
    path = f"{arguments.work}/{name}.yaml"
    open(path, "w").write(recipe(name, method, steps))
    process = subprocess.Popen([holdfast, "tune", path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    first = last = None
    errors = ""
    for line in process.stderr:
        errors += line
        if " microbatches" in line:
            done = int(line.split(", ")[1].split(" of ")[0])
            if done == 1:
                first = time.monotonic()
            last = time.monotonic()
    if process.wait() != 0:
        sys.exit(errors)
    timing = [json.loads(line) for line in open(f"{arguments.work}/{name}/timing.jsonl")]
    kept = 0
    for folder in [f"{arguments.work}/{name}-artifacts", f"{arguments.work}/{name}/record"]:
        for at, _, files in os.walk(folder):
            kept += sum(os.path.getsize(os.path.join(at, f)) for f in files if f == "tensors.safetensors")
    # The first microbatch and the first step warm the libraries up and are left out.
    count = arguments.documents
    preparing = (last - first) * count / (count - 1) if first else 0
    training = (timing[-1]["seconds"] - timing[0]["seconds"]) * steps / (steps - 1) if steps > 2 else 0
    return dict(preparing=preparing, training=training, peak=timing[-1]["peak_bytes"], kept=kept)


text = f"data: {data}, examples: {arguments.documents}, length: {arguments.length}"
cases = {
    "plain LoRA": ("full", steps),
    "path integral, probe": ("path_integral", steps),
    "path integral, tangent": ("{path_integral: {source: tangent}}", steps),
    "Fisher as coded": (f"{{ewc: {{lambda: 1, fisher: as_coded, {text}}}}}", 2),
    "Fisher, targets only": (f"{{ewc: {{lambda: 1, fisher: target_only, {text}}}}}", 2),
}
found = {name: [] for name in cases}
for _ in range(arguments.rounds):
    for name, (method, count) in cases.items():
        found[name].append(run(name.replace(" ", "-").replace(",", ""), method, count))


def seconds(name, key):
    values = [r[key] for r in found[name]]
    return statistics.median(values), f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


plan = json.loads(subprocess.run([holdfast, "plan", f"{arguments.work}/plain-LoRA.yaml", "--json"], check=True, capture_output=True, text=True).stdout)
full = plan["parameters"] - plan["trained"]
plain, _ = seconds("plain LoRA", "training")
print(f"{full:,} parameters and an adapter of {plan['trained']:,}; {arguments.documents} texts of {arguments.length} tokens, {arguments.rows} a step; {arguments.threads} threads\n")
print("| | seconds for all texts | extra over plain LoRA | peak GiB | kept, bytes | share of the model's in f32 |\n|---|---:|---:|---:|---:|---:|")
for name in cases:
    key = "preparing" if name.startswith("Fisher") else "training"
    value, words = seconds(name, key)
    last = found[name][-1]
    extra = "" if key == "preparing" or name == "plain LoRA" else f"{value - plain:.2f} ({100 * (value / plain - 1):.0f} %)"
    print(f"| {name} | {words} | {extra} | {last['peak'] / 2**30:.2f} | {last['kept']:,} | {100 * last['kept'] / (4 * full):.1f} % |")
coded, targets = seconds("Fisher as coded", "preparing")[0], seconds("Fisher, targets only", "preparing")[0]
probe, tangent = seconds("path integral, probe", "training")[0], seconds("path integral, tangent", "training")[0]


def ratio(a, b):
    return f"{a / b:.1f}" if b > 0.01 * plain else "beyond what these timings resolve"


print(f"""
| claim of the paper | here |
|---|---|
| about 20 times faster (than a Fisher as coded; what was timed is not said) | as coded over the extra of the path integral: probe {ratio(coded, probe - plain)}, tangent {ratio(coded, tangent - plain)}; over the whole recorded stage: {coded / probe:.1f} |
| the same against a Fisher for the adapted matrices, on the device | over the extra: probe {ratio(targets, probe - plain)}, tangent {ratio(targets, tangent - plain)}; over the whole stage: {targets / probe:.1f} |
| 10 to 15 % of the storage | {100 * found['path integral, probe'][-1]['kept'] / max(1, found['Fisher as coded'][-1]['kept']):.1f} % of a Fisher over the whole model, and {100 * found['path integral, probe'][-1]['kept'] / max(1, found['Fisher, targets only'][-1]['kept']):.0f} % of one over the adapted matrices: it follows from where, not from how |""")
