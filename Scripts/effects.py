#!/usr/bin/env python3
"""Has each method its effect? What general text costs a method at the same learning, on the little world.

usage: Scripts/effects.py [--work FOLDER] [--seeds 1,2] [--steps 150] [--only NAME,…] [--table-only]

Each method tunes the shipped base model on one domain at several learning rates, and the loss on held-out questions of the domain and of the
three general families is taken every five steps. Where a run's domain loss first falls through a target, the general loss is read off
between the two evaluations: the same learning, whatever the rate and the number of steps. The targets are 50, 80 and 95 per cent of what full
fine-tuning gains at its highest rate. A method's number is its best over its rates; full fine-tuning at lower rates and blends of its result with
the base (Wise-FT) are rivals, not ways out. FOLDER/points.jsonl has a line for each finished run, so a study that was stopped goes on."""
import argparse, json, os, statistics, subprocess, sys

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
parser = argparse.ArgumentParser()
parser.add_argument("--work", default=os.path.join(root, "runs", "effects"))
parser.add_argument("--seeds", default="1,2")
parser.add_argument("--steps", type=int, default=150)
parser.add_argument("--only", default="")
parser.add_argument("--holdfast", default=os.path.join(root, "holdfast"))
parser.add_argument("--table-only", action="store_true")
arguments = parser.parse_args()
work, domain, families = arguments.work, "clinic", ["facts", "sums", "stories"]
world = os.path.join(work, "world")
text = f"{world}/pretraining.jsonl"
replay = f"{{path: {text}, name: general, format: prompt_completion, share: 0.1, train_on: all}}"

# name: (method, rates, more lines of the recipe, more sources)
full_rates, lora_rates = ["1e-3", "3e-4", "1e-4"], ["1e-2", "3e-3", "1e-3"]
two = ["3e-4", "1e-4"]   # the best of full fine-tuning is its lowest rate; what slows learning down is also tried at the highest
methods = {
    "full": ("full", full_rates, "", ""),
    "half": ("half", full_rates, "", ""),
    "random_subset 0.5": ("{random_subset: {share: 0.5}}", full_rates, "", ""),
    "freezing norms": ("{freezing: {modules: [norms]}}", ["1e-2", "3e-3"], "", ""),
    "freezing attention": ("{freezing: {modules: [attention]}}", full_rates, "", ""),
    "freezing mlp": ("{freezing: {modules: [mlp]}}", full_rates, "", ""),
    "coarse region": ("{freezing: {layers: [25%, 50%], modules: [mlp.up, mlp.down]}}", ["3e-3", "1e-3"], "", ""),
    "cofitune": ("{cofitune: {}}", ["3e-3", "1e-3"], "", ""),
    "v_softmask": ("{v_softmask: {}}", full_rates, "", ""),
    "ssu": (f"{{ssu: {{data: {{path: {text}, format: prompt_completion}}}}}}", full_rates, "", ""),
    "lisa": ("{lisa: {layers: 1, every: 10}}", full_rates, "", ""),
    "lora": ("full", lora_rates, "adapter: {lora: {rank: 8}}\n", ""),
    "lora mlp": ("full", lora_rates, "adapter: {lora: {rank: 8, targets: mlp}}\n", ""),
    "dora": ("full", lora_rates, "adapter: {dora: {rank: 8}}\n", ""),
    "l2 10": ("{l2: {lambda: 10}}", two, "", ""),
    "l2 100": ("{l2: {lambda: 100}}", full_rates, "", ""),
    "l1": ("{l1: {lambda: 0.2}}", two, "", ""),
    "ewc": (f"{{ewc: {{lambda: LAMBDA, data: {{path: {text}, format: prompt_completion, train_on: all}}, examples: 500, length: 128}}}}", two, "", ""),
    "ewc shuffled": (f"{{ewc: {{lambda: LAMBDA, data: {{path: {text}, format: prompt_completion, train_on: all}}, examples: 500, length: 128, control: shuffled}}}}", two, "", ""),
    "mas": (f"{{mas: {{lambda: LAMBDA, data: {{path: {text}, format: prompt_completion, train_on: all}}, examples: 500, length: 128}}}}", two, "", ""),
    "mofo": ("{mofo: {share: 0.15}}", full_rates, "", ""),
    "gmt": ("{gmt: {share: 0.2}}", full_rates, "", ""),
    "spider": ("spider", two, "", ""),
    "average": ("{average: {decay: 0.95}}", two, "", ""),
    "dft": ("dft", two, "", ""),
    "talr": ("talr", two, "", ""),
    "eaft": ("eaft", two, "", ""),
    "stm": ("stm", two, "", ""),
    "flow": ("flow", two, "", ""),
    "kl": ("{kl: {beta: 0.3}}", two, "", ""),
    "lwf": ("lwf", two, "", ""),
    "tmkl": ("{tmkl: {beta: 0.3}}", two, "", ""),
    "asft": ("asft", two, "", ""),
    "replay 10 %": ("full", two, "", replay),
    "kl on replay": ("{kl: {beta: 1, on: [general]}}", two, "", replay),
    "arr": ("{arr: {beta: 0.1, replay: [general]}}", two, "", replay),
    "half, replay 10 %": ("half", two, "", replay),
}
strengths = {"ewc": [1, 30, 1000], "ewc shuffled": [1, 30, 1000], "mas": [1, 30, 1000]}
for name in list(methods):
    if name in strengths:
        method, rates, lines, sources = methods.pop(name)
        for value in strengths[name]:
            methods[f"{name} {value}"] = (method.replace("LAMBDA", str(value)), rates, lines, sources)


def run(*command):
    done = subprocess.run([arguments.holdfast, *map(str, command)], capture_output=True, text=True)
    return done


def tune(method, rate, seed, lines="", sources="", model=f"{root}/World/base", steps=None, keep=False):
    """The losses after every fifth step, by family; None where tune refuses."""
    folder = os.path.join(work, "run")
    if not keep:
        subprocess.run(["rm", "-rf", folder], check=True)
    recipe = os.path.join(work, "recipe.yaml")
    tests = ", ".join(f"{{path: {world}/{f}.short.jsonl, name: {f}, format: prompt_completion}}" for f in [domain] + families)
    with open(recipe, "w") as file:
        file.write(f"""model: {model}
method: {method}
{lines}data: [{{path: {world}/{domain}.train.jsonl, name: domain, format: prompt_completion}}{", " + sources if sources else ""}]
evaluate: {{data: [{tests}], every: 5}}
sequence_length: 128
batch: {{rows: 16}}
steps: {steps or arguments.steps}
learning_rate: {float(rate)}
schedule: {{kind: constant, warmup: 10}}
seed: {seed}
threads: 1
checkpoint: {{every: 100000, keep: 1}}
output: {folder if not keep else folder + "-probe"}
""")
    if keep:
        subprocess.run(["rm", "-rf", folder + "-probe"], check=True)
    done = run("tune", recipe)
    if done.returncode != 0:
        print(f"{method} {rate}: {done.stderr[-600:]}", file=sys.stderr)
        return None
    points = {}
    for line in map(json.loads, open(f"{folder if not keep else folder + '-probe'}/metrics.jsonl")):
        name = line.get("score", "")
        if name.startswith("held_out.") and name != "held_out.loss":
            points.setdefault(line["step"], {})[name.split(".")[1]] = line["value"]
    return [dict(step=step, **losses) for step, losses in sorted(points.items())]


os.makedirs(work, exist_ok=True)
if not os.path.exists(world):
    run("world", "--output", world, "--documents", 3000, "--train", 3000, "--held-out", 200)
    for family in [domain] + families:
        with open(f"{world}/{family}.validation.jsonl") as long, open(f"{world}/{family}.short.jsonl", "w") as short:
            short.writelines(long.readlines()[:200])
known = {}
path = os.path.join(work, "points.jsonl")
if os.path.exists(path):
    known = {p["key"]: p["points"] for p in map(json.loads, open(path))}


def point(key, make):
    if key not in known and not arguments.table_only:
        points = make()
        if points is None:
            return None
        known[key] = points
        with open(path, "a") as file:
            file.write(json.dumps({"key": key, "points": points}) + "\n")
        print(key, {k: round(v, 3) for k, v in points[-1].items()}, file=sys.stderr, flush=True)
    return known.get(key)


def general(p):
    return statistics.mean(p[f] for f in families)


seeds = arguments.seeds.split(",")
start = point("base", lambda: tune("full", 1e-12, 1, steps=1))[0]
for seed in seeds:
    # The blends are of this run's result.
    key = f"full|1e-3|{seed}"
    fresh = key not in known
    point(key, lambda: tune("full", "1e-3", seed))
    for alpha in [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]:
        if fresh and not arguments.table_only:
            blended = os.path.join(work, "blended")
            subprocess.run(["rm", "-rf", blended], check=True)
            run("blend", "--base", f"{root}/World/base", "--tuned", f"{work}/run/final", "--alpha", alpha, "--output", blended)
            point(f"wise_ft|{alpha}|{seed}", lambda: tune("full", 1e-12, 1, model=blended, steps=1, keep=True))
chosen = [n for n in methods if not arguments.only or any(n.startswith(o) for o in arguments.only.split(","))]
for seed in seeds:
    for name in chosen:
        method, rates, lines, sources = methods[name]
        for rate in rates:
            point(f"{name}|{rate}|{seed}", lambda: tune(method, rate, seed, lines, sources))


def at(points, target):
    """General loss above the base's where the domain loss first falls through the target."""
    before = start
    for p in points:
        if p[domain] <= target:
            share = (before[domain] - target) / max(1e-9, before[domain] - p[domain])
            return (1 - share) * general(before) + share * general(p) - general(start)
        before = p
    return None


def cell(values):
    values = [v for v in values if v is not None]
    return "not reached" if not values else f"{statistics.mean(values):.3f}" + (
        f" ± {(max(values) - min(values)) / 2:.3f}" if len(values) > 1 else "")


best = {seed: min(p[domain] for p in known[f"full|1e-3|{seed}"]) for seed in seeds if f"full|1e-3|{seed}" in known}
gains = [0.5, 0.8, 0.95]
print(f"base: {domain} {start[domain]:.3f}, general {general(start):.3f} nats a label; {len(seeds)} seed(s), ± half the range\n")
print("| method | " + " | ".join(f"general loss gained at {int(g * 100)} % of the learning" for g in gains) + " | rate |")
print("|---|" + "---:|" * len(gains) + "---|")
rows = []
for name in ["wise_ft"] + list(methods):
    cells, sort, rate_said = [], [], ""
    for gain in gains:
        results = []
        for seed in best:
            target = start[domain] - gain * (start[domain] - best[seed])
            if name == "wise_ft":
                path_ = sorted((p for k, v in known.items() if k.startswith("wise_ft|") and k.endswith(f"|{seed}") for p in v), key=lambda p: -p[domain])
                path_ += [known[f"full|1e-3|{seed}"][-1]]
                results.append((at(path_, target), ""))
                continue
            tried = [(at(known[k], target), rate) for rate in methods[name][1] if (k := f"{name}|{rate}|{seed}") in known]
            tried = [t for t in tried if t[0] is not None]
            if tried:
                results.append(min(tried))
        if not results:
            cells.append("not reached" if any(k.startswith(name + "|") for k in known) else "–")
        else:
            cells.append(cell([r[0] for r in results]))
            rate_said = "/".join(sorted({r[1] for r in results}))
        sort.append(statistics.mean([r[0] for r in results if r[0] is not None]) if results and any(r[0] is not None for r in results) else 99)
    if any(k.startswith(name + "|") for k in known):
        rows.append((sort[-1], f"| {name} | " + " | ".join(cells) + f" | {rate_said} |"))
print("\n".join(r for _, r in sorted(rows)))
