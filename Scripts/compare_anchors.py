#!/usr/bin/env python3
"""Anchors by importance on the little world: what each learns of a new domain and keeps of the old, at several strengths, beside
full fine-tuning and beside the same anchors with importance shuffled or made uniform.

usage: Scripts/compare_anchors.py [--work FOLDER] [--strengths 3,30,300] [--items 300] [--steps 150] [--rate 1e-3] [--seed 1] [ARM ...]

All arms begin where a short general stage ended, which recorded what si, rwalk and hierarchical need. Each line of
FOLDER/points.jsonl is a finished run, so a study that was stopped goes on. Exact match in per cent; 10 to 20 seconds a run."""
import argparse, json, os, subprocess, sys

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
arguments = argparse.ArgumentParser()
arguments.add_argument("arms", nargs="*")
arguments.add_argument("--work", default=os.path.join(root, "runs", "compare-anchors"))
arguments.add_argument("--strengths", default="3,30,300")
arguments.add_argument("--items", type=int, default=300)
arguments.add_argument("--steps", type=int, default=150)
arguments.add_argument("--rate", default="1e-3")
arguments.add_argument("--seed", type=int, default=1)
arguments.add_argument("--threads", type=int, default=2)
arguments = arguments.parse_args()
holdfast = os.environ.get("HOLDFAST", os.path.join(root, "holdfast"))
world, points = os.path.join(arguments.work, "world"), os.path.join(arguments.work, "points.jsonl")
families = ["facts", "sums", "stories"]


def run(*command):
    done = subprocess.run([holdfast, *map(str, command)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"holdfast {' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    return done.stdout


def tune(name, model, data, method, steps, rate):
    output = os.path.join(arguments.work, name)
    if os.path.exists(output + "/final"):
        return output
    subprocess.run(["rm", "-rf", output])
    with open(output + ".yaml", "w") as file:
        file.write(f"""model: {model}
data: [{{path: {data}}}]
method: {method}
sequence_length: 128
batch: 16
steps: {steps}
learning_rate: {rate}
schedule: {{kind: cosine, warmup: 0.05}}
seed: {arguments.seed}
threads: {arguments.threads}
checkpoint: {{every: {steps}, keep: 1}}
output: {output}
""")
    run("tune", output + ".yaml")
    return output


def scores(model):
    files = [os.path.join(world, f"{f}.test.jsonl") for f in ["clinic"] + families]
    found = {}
    for line in map(json.loads, run("evaluate", "--model", model, "--json", "--limit", arguments.items, "--answers", *files).splitlines()):
        for family in ["clinic"] + families:
            if line["score"].startswith(family + ".") and "exact" in line["score"]:
                found[family] = 100 * line["value"]
    return found


os.makedirs(arguments.work, exist_ok=True)
if not os.path.exists(world):
    run("world", "--output", world, "--documents", 4000, "--train", 3000)
general = os.path.join(world, "pretraining.jsonl")
recorded = tune("general", os.path.join(root, "World", "base"), general, "[path_integral, {si: {lambda: 0}}, {rwalk: {lambda: 0}}]", 60, "3e-4")
text = f"data: {general}, examples: 400, length: 128"
arms = {
    "ewc": f"{{ewc: {{lambda: L, {text}}}}}",
    "ewc, drawn labels": f"{{ewc: {{lambda: L, fisher: sampled, {text}}}}}",
    "ewc, shuffled": f"{{ewc: {{lambda: L, control: shuffled, {text}}}}}",
    "ewc, uniform (L2)": f"{{ewc: {{lambda: L, control: uniform, {text}}}}}",
    "mas": f"{{mas: {{lambda: L, {text}}}}}",
    "si": f"{{si: {{lambda: L, importance: {recorded}}}}}",
    "rwalk": f"{{rwalk: {{lambda: L, importance: {recorded}}}}}",
    "hierarchical, sum": f"{{hierarchical: {{lambda: L, importance: {recorded}}}}}",
    "hierarchical, softmax_raw": f"{{hierarchical: {{lambda: L, layer_weight: softmax_raw, importance: {recorded}}}}}",
    "hierarchical, uniform layers": f"{{hierarchical: {{lambda: L, layer_weight: uniform, importance: {recorded}}}}}",
    "hierarchical, shuffled": f"{{hierarchical: {{lambda: L, control: shuffled, importance: {recorded}}}}}",
}
known = {p["key"]: p for p in map(json.loads, open(points))} if os.path.exists(points) else {}


def point(key, make):
    if key not in known:
        known[key] = dict(key=key, **make())
        with open(points, "a") as file:
            file.write(json.dumps(known[key]) + "\n")
    p = known[key]
    kept = sum(p[f] for f in families) / len(families)
    print(f"| {key} | {p['clinic']:.1f} | {kept:.1f} | " + " | ".join(f"{p[f]:.1f}" for f in families) + " |", flush=True)


def arm(name, method, rate=None):
    def make():
        folder = tune(name.replace(" ", "-").replace(",", "").replace("(", "").replace(")", ""), recorded + "/final", os.path.join(world, "clinic.train.jsonl"), method, arguments.steps, rate or arguments.rate)
        return scores(folder + "/final")
    point(name, make)


print("| | learned | kept | " + " | ".join(families) + " |\n|---|---:|---:|" + "---:|" * len(families))
point("before", lambda: scores(recorded + "/final"))
arm("full", "full")
arm("full, rate / 5", "full", float(arguments.rate) / 5)
for name, method in arms.items():
    if arguments.arms and name not in arguments.arms:
        continue
    for strength in arguments.strengths.split(","):
        arm(f"{name}, {strength}", method.replace("L,", f"{strength},", 1))
