#!/usr/bin/env python3
"""Every tuning method on the little world: what it learns of a new domain and what it keeps, at several rates.

usage: Scripts/compare_methods.py [--work FOLDER] [--rates 1e-3,3e-4,1e-4] [--seeds 1] [--items 300] [--steps 150] [METHOD ...]
       METHOD is a recipe's, such as  full  '{l2: {lambda: 100}}'  or  'adapter: {lora: {rank: 16}}'  ; without any, the list below.

Each line of FOLDER/points.jsonl is a finished run, so a study that was stopped goes on. The table gives exact match in per
cent: the domain, and the mean of the three versatility families. It takes 10 to 20 seconds a run on two cores."""
import argparse, json, os, subprocess, sys

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
default = ["full", "half", "{random_subset: {share: 0.55}}", "{freezing: {layers: [25%, 50%], modules: [mlp.up, mlp.down]}}",
           "{freezing: {modules: [mlp]}}", "{freezing: {modules: [norms]}}", "{lisa: {layers: 1, every: 10}}",
           "{l2: {lambda: 10}}", "{l2: {lambda: 100}}", "{l1: {lambda: 0.2}}", "{mofo: {share: 0.15}}", "{gmt: {share: 0.2}}", "spider",
           "{average: {decay: 0.98}}", "dft", "talr", "adapter: {lora: {rank: 16}}", "adapter: {lora: {rank: 16, targets: mlp}}", "adapter: {dora: {rank: 16}}"]
families = ["facts", "sums", "stories"]
arguments = argparse.ArgumentParser()
arguments.add_argument("methods", nargs="*", default=default)
arguments.add_argument("--work", default=os.path.join(root, "runs", "compare-methods"))
arguments.add_argument("--rates", default="1e-3,3e-4,1e-4")
arguments.add_argument("--seeds", default="1")
arguments.add_argument("--items", type=int, default=300)
arguments.add_argument("--steps", type=int, default=150)
arguments.add_argument("--domain", default="clinic")
arguments = arguments.parse_args()
holdfast = os.path.join(root, "holdfast")
world = os.path.join(arguments.work, "world")
points = os.path.join(arguments.work, "points.jsonl")


def run(*command):
    done = subprocess.run([holdfast, *map(str, command)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"holdfast {' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    return done.stdout


def scores(model, *options):
    """Exact match of each family, in per cent."""
    files = [os.path.join(world, f"{f}.test.jsonl") for f in [arguments.domain] + families]
    lines = run("evaluate", "--model", model, *options, "--json", "--limit", arguments.items, "--answers", *files).splitlines()
    found = {}
    for line in map(json.loads, lines):
        for family in [arguments.domain] + families:
            if line["score"].startswith(family + ".") and "exact" in line["score"]:
                found[family] = 100 * line["value"]
    return found


os.makedirs(arguments.work, exist_ok=True)
if not os.path.exists(world):
    run("world", "--output", world, "--documents", 1, "--train", 3000)
known = {}
if os.path.exists(points):
    known = {p["key"]: p for p in map(json.loads, open(points))}


def point(key, make):
    if key not in known:
        known[key] = dict(key=key, **make())
        with open(points, "a") as file:
            file.write(json.dumps(known[key]) + "\n")
        print(json.dumps(known[key]), file=sys.stderr, flush=True)
    return known[key]


def tuned(method, rate, seed):
    folder = os.path.join(arguments.work, "run")
    subprocess.run(["rm", "-rf", folder], check=True)
    recipe = os.path.join(arguments.work, "recipe.yaml")
    with open(recipe, "w") as file:
        file.write(f"""model: {root}/World/base
{method if method.startswith("adapter:") else "method: " + method}
data: [{{path: {world}/{arguments.domain}.train.jsonl, format: prompt_completion}}]
sequence_length: 128
batch: {{rows: 16}}
steps: {arguments.steps}
learning_rate: {float(rate)}
schedule: {{kind: cosine, warmup: 0.05}}
seed: {seed}
checkpoint: {{every: {arguments.steps}, keep: 1}}
output: {folder}
""")
    run("tune", recipe)
    final = os.path.join(folder, "final")
    return scores(f"{root}/World/base", "--adapter", final) if method.startswith("adapter:") else scores(final)


def row(name, rate, p):
    kept = sum(p[f] for f in families) / len(families)
    return f"| {name} | {rate} | {p[arguments.domain]:.1f} | {kept:.1f} | " + " | ".join(f"{p[f]:.1f}" for f in families) + " |"


table = [f"| method | rate | {arguments.domain} | versatility | " + " | ".join(families) + " |", "|---|---|" + "---:|" * (2 + len(families))]
table.append(row("base", "", point(f"base {arguments.items}", lambda: scores(os.path.join(root, "World", "base")))))
for method in arguments.methods:
    for rate in arguments.rates.split(","):
        runs = [point(f"{method} {rate} {seed} {arguments.steps} {arguments.items}", lambda: tuned(method, rate, seed)) for seed in arguments.seeds.split(",")]
        mean = {f: sum(r[f] for r in runs) / len(runs) for f in [arguments.domain] + families}
        table.append(row(method, rate, mean))
print("\n".join(table))
