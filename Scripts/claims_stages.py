#!/usr/bin/env python3
"""Claims about sequences of tasks, on the little world with three tasks one after another: Half Fine-Tuning's (H4, H5, H6, H7, H9), and what the methods
made for sequences (online EWC, SI, RWalk, MAS, O-LoRA) keep of the tasks before.

usage: Scripts/claims_stages.py [--work FOLDER] [--points FILE] [--seeds 1,2,3] [--rate 5e-4] [--adapter-rate 3e-3] [--steps 160] [--items 60] [--only NAME …] [--table-only] [--beside ROW …]

Every arm is a recipe with `stages` (clinic, court, machine). The table gives average performance over the three tasks after the last stage,
backward transfer (over the tasks taught before the last) and the change of general tests, in points of exact match: means over
seeds with t intervals, and the paired differences to `full` and `half` (or to --beside). A seed draws data order and halves alike. POINTS has a line for each finished arm and seed,
so a study that was stopped goes on."""
import argparse, hashlib, json, math, os, shutil, statistics, subprocess, sys

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
parser = argparse.ArgumentParser()
parser.add_argument("--work", default=os.path.join(root, "runs", "claims-stages"))
parser.add_argument("--points", default=os.path.join(root, "Docs", "evidence", "claims-stages.jsonl"))
parser.add_argument("--seeds", default="1,2,3")
parser.add_argument("--rate", default="5e-4")
parser.add_argument("--adapter-rate", default="3e-3")
parser.add_argument("--steps", type=int, default=160)
parser.add_argument("--items", type=int, default=60)
parser.add_argument("--only", nargs="+", default=[])
parser.add_argument("--holdfast", default=os.path.join(root, "holdfast"))
parser.add_argument("--model", default=os.path.join(root, "World", "base"))
parser.add_argument("--table-only", action="store_true")
parser.add_argument("--beside", nargs="+", default=["full", "half"], help="rows whom the others are compared with, paired by seed")
arguments = parser.parse_args()
work = os.path.abspath(arguments.work)
world = f"{work}/world"
tasks, general = ["clinic", "court", "machine"], ["facts", "sums", "stories"]
old = f"{{path: {world}/pretraining.jsonl, name: general, format: prompt_completion, share: 0.1, train_on: all}}"


mas_data = f", data: {{path: {world}/pretraining.jsonl, format: prompt_completion, train_on: all}}, examples: 500, length: 128"


def half(knobs=""):
    return f"{{half: {{{knobs}}}}}"


# name: (method, whether a tenth of each epoch is general text and earlier tasks)
arms = {
    "full": ("full", False), "half": ("half", False), "half, layer": (half("strategy: layer"), False), "half, model": (half("strategy: model"), False),
    "half, 0.1": (half("ratio: 0.1"), False), "half, 0.25": (half("ratio: 0.25"), False), "half, 0.4": (half("ratio: 0.4"), False),
    "half, 0.6": (half("ratio: 0.6"), False), "half, 0.75": (half("ratio: 0.75"), False), "half, one draw": (half("redraw: never"), False),
    "half, no embeddings": (half("embeddings: freeze, head: freeze, final_norm: freeze"), False), "full, replay": ("full", True), "half, replay": ("half", True),
    "random_subset 0.55": ("{random_subset: {share: 0.55}}", False),
    "lora": ("full", False, "adapter: {lora: {rank: 8}}"), "olora": ("olora", False, "adapter: {lora: {rank: 8}}"),
}
for name in ["online_ewc", "si", "rwalk", "mas"]:
    for strength in [0.01, 0.1, 1, 30]:
        arms[f"{name} {strength}"] = (f"{{{name}: {{lambda: {strength}{mas_data if name == 'mas' else ''}}}}}", False)
if arguments.only:
    unknown = [n for n in arguments.only if n not in arms]
    if unknown:
        parser.error(f"no arm {', '.join(unknown)}; there are {'; '.join(arms)}")
    arms = {n: arms[n] for n in arguments.only}


def rows(of_matrix):
    """Values by name; of one row, or of one after each stage."""
    if of_matrix and isinstance(of_matrix[0], list):
        return [rows(row) for row in of_matrix]
    return {cell["score"]: cell["value"] for cell in of_matrix}


def recipe(method, replays, lines, seed):
    stages = []
    for at, task in enumerate(tasks):
        sources = [f"{{path: {world}/{task}.train.jsonl, format: prompt_completion, examples: 1500}}"]
        if replays:
            sources += [old] + [f"{{path: {world}/{t}.train.jsonl, format: prompt_completion, share: 0.05}}" for t in tasks[:at]]
        # Of O-LoRA the first task has nothing to stay apart from.
        first = ", method: full" if method == "olora" and at == 0 else ""
        stages.append(f"  - {{name: {task}, data: [{', '.join(sources)}], test: {{path: {world}/{task}.few.jsonl}}{first}}}")
    tests = ", ".join(f"{f}: {{path: {world}/{f}.few.jsonl}}" for f in general)
    return f"""model: {arguments.model}
method: {method}
{lines}
learning_rate: {float(lines and arguments.adapter_rate or arguments.rate)}
sequence_length: 128
batch: {{rows: 8}}
steps: {arguments.steps}
schedule: {{kind: constant, warmup: 10}}
seed: {seed}
threads: 1
checkpoint: {{every: 100000, keep: 1}}
general_tests: {{{tests}}}
stages:
""" + "\n".join(stages) + f"\noutput: {work}/run\n"


known = {}
if os.path.exists(arguments.points):
    for line in open(arguments.points):
        point = json.loads(line)
        known[(point["arm"], point["seed"], point["rate"], point["steps"])] = point
seeds = [int(s) for s in arguments.seeds.split(",")]


def key(arm, seed):
    return (arm, seed, arguments.rate, arguments.steps)


if not arguments.table_only:
    os.makedirs(work, exist_ok=True)
    os.makedirs(os.path.dirname(os.path.abspath(arguments.points)), exist_ok=True)
    if not os.path.exists(world):
        subprocess.run([arguments.holdfast, "world", "--output", world, "--documents", "3000", "--train", "3000", "--held-out", "200"], check=True, capture_output=True)
        for family in tasks + general:
            with open(f"{world}/{family}.test.jsonl") as long, open(f"{world}/{family}.few.jsonl", "w") as few:
                few.writelines(long.readlines()[: arguments.items])
    for seed in seeds:
        for arm, (method, replays, *lines) in arms.items():
            if key(arm, seed) in known:
                continue
            shutil.rmtree(f"{work}/run", ignore_errors=True)
            text = recipe(method, replays, "".join(lines), seed)
            with open(f"{work}/recipe.yaml", "w") as file:
                file.write(text)
            done = subprocess.run([arguments.holdfast, "tune", f"{work}/recipe.yaml"], capture_output=True, text=True)
            if done.returncode != 0:
                print(f"{arm}: {done.stderr[-800:]}", file=sys.stderr)
                continue
            matrix = json.load(open(f"{work}/run/matrix.json"))
            point = {"arm": arm, "seed": seed, "rate": arguments.rate, "steps": arguments.steps, "items": arguments.items,
                     "recipe": hashlib.sha256(text.replace(work, "").replace(arguments.model, "").encode()).hexdigest()[:16], **{name: rows(matrix[name]) for name in ["after", "general_before", "general_after"]}}
            known[key(arm, seed)] = point
            with open(arguments.points, "a") as file:
                file.write(json.dumps(point) + "\n")
            print(arm, seed, file=sys.stderr, flush=True)


def scores(point):
    """Average performance, backward transfer and general change, in points."""
    def values(row):
        return {name: 100 * value for name, value in row.items()}
    after = [values(row) for row in point["after"]]
    last = after[-1]
    performance = statistics.mean(last[t] for t in tasks)
    backward = statistics.mean(last[t] - after[at][t] for at, t in enumerate(tasks[:-1]))
    learned = statistics.mean(after[at][t] for at, t in enumerate(tasks))
    before = values(point["general_before"])
    return dict(performance=performance, backward=backward, learned=learned,
                general=statistics.mean(values(point["general_after"][-1])[g] - before[g] for g in general))


quantile = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def interval(values):
    if len(values) < 2:
        return f"{values[0]:.1f}" if values else "–"
    return f"{statistics.mean(values):.1f} ± {quantile[len(values) - 1] * statistics.stdev(values) / math.sqrt(len(values)):.1f}"


# Rows: the arms at this call's rate, then what else is known of them at other rates.
rows_of = [(arm, arguments.rate) for arm in arms]
rows_of += sorted({(arm, rate) for arm, _, rate, steps in known if rate != arguments.rate and steps == arguments.steps and arm in arms})
found = {}
for arm, rate in rows_of:
    name = arm if rate == arguments.rate else f"{arm}, rate {rate}"
    found[name] = {seed: scores(known[arm, seed, rate, arguments.steps]) for seed in seeds if (arm, seed, rate, arguments.steps) in known}
measures = {"performance": "average performance", "backward": "backward transfer", "learned": "each task when taught", "general": "general change"}
print(f"Points of exact match over {len(seeds)} seeds, means with 95 % t intervals; {arguments.items} items a task; rate {arguments.rate}, {arguments.steps} steps a stage.\n")
print("| arm | " + " | ".join(measures.values()) + "".join(f" | performance, less {b}'s | general, less {b}'s" for b in arguments.beside) + " |\n|---|" + "---:|" * (4 + 2 * len(arguments.beside)))
for arm, by_seed in found.items():
    if not by_seed:
        continue
    cells = [interval([r[m] for r in by_seed.values()]) for m in measures]
    for other in arguments.beside:
        both = [s for s in by_seed if s in found.get(other, {})]
        for m in ["performance", "general"]:
            cells.append("" if arm == other else interval([by_seed[s][m] - found[other][s][m] for s in both]))
    print(f"| {arm} | " + " | ".join(cells).replace("-", "−") + " |")
