#!/usr/bin/env python3
"""What each method costs: processor seconds a step beside full fine-tuning in the same pass, preparation, and bytes held beside full's.

usage: Scripts/method_costs.py [--work FOLDER] [--hidden 192] [--layers 6] [--rounds 2] [--steps 10] [--only NAME,…]

A random Llama with the little world's tokenizer, f32, 8 rows of 128 tokens, one thread. A step is the processor time of a run of STEPS + 4 steps less that of
one of 4 steps, over STEPS: start, preparation and export cancel, and what else the machine does counts little. Full fine-tuning runs before every
fifth method, and a method is divided by the mean of the full runs around it; the table gives the mean over rounds with the least and the most. Preparation
is the processor time of the shorter run beyond full's. Bytes are what `holdfast plan` counts: weights, gradients, moments, reference, and the method's own."""
import argparse, json, os, resource, shutil, statistics, subprocess, sys

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
parser = argparse.ArgumentParser()
parser.add_argument("--work", default=os.path.join(root, "runs", "method-costs"))
parser.add_argument("--hidden", type=int, default=192)
parser.add_argument("--layers", type=int, default=6)
parser.add_argument("--rounds", type=int, default=2)
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--only", default="")
arguments = parser.parse_args()
holdfast = os.environ.get("HOLDFAST", os.path.join(root, "holdfast"))
work = arguments.work
shutil.rmtree(work, ignore_errors=True)
os.makedirs(work)
world = f"{work}/world"
subprocess.run([holdfast, "world", "--output", world, "--documents", "3000", "--train", "2000", "--held-out", "1"], check=True, capture_output=True)
model = f"{work}/model"
shutil.copytree(f"{world}/large", model)
configuration = json.load(open(f"{model}/config.json"))
configuration.update(hidden_size=arguments.hidden, intermediate_size=3 * arguments.hidden, num_hidden_layers=arguments.layers,
                     num_attention_heads=arguments.hidden // 32, num_key_value_heads=arguments.hidden // 64)
json.dump(configuration, open(f"{model}/config.json", "w"))
general = f"{{path: {world}/pretraining.jsonl, format: prompt_completion, train_on: all}}"
passes = f"data: {general}, examples: 64, length: 128"
replay = f"{{path: {world}/pretraining.jsonl, name: general, format: prompt_completion, share: 0.1, train_on: all}}"
# name: (method, more lines, more sources, what the run needs before it)
methods = {
    "half": ("half",), "freezing: 2nd quarter, mlp.up and mlp.down": ("{freezing: {layers: [25%, 50%], modules: [mlp.up, mlp.down]}}",),
    "cofitune": ("{cofitune: {importance: {batches: 8}}}",), "v_softmask": ("{v_softmask: {importance: {batches: 8}}}",), "ssu": (f"{{ssu: {{{passes}}}}}",),
    "lisa": ("{lisa: {layers: 2, every: 5}}",), "random_subset 0.5": ("{random_subset: {share: 0.5}}",),
    "lora, rank 8": ("full", "adapter: {lora: {rank: 8}}\n"), "dora, rank 8": ("full", "adapter: {dora: {rank: 8}}\n"), "adalora": ("full", "adapter: {adalora: {rank: 8, warmup: 1, final: 1}}\n"),
    "l2": ("{l2: {lambda: 10}}",), "l1": ("{l1: {lambda: 0.2}}",), "ewc": (f"{{ewc: {{lambda: 1, {passes}}}}}",), "mas": (f"{{mas: {{lambda: 1, {passes}}}}}",),
    "online_ewc": (f"{{online_ewc: {{lambda: 1, {passes}}}}}",), "si": ("{si: {lambda: 1}}",), "rwalk": ("{rwalk: {lambda: 1, every: 1}}",), "path_integral": ("path_integral",),
    "hierarchical": ("{hierarchical: {importance: RECORDED, lambda: 1}}",),
    "mofo": ("mofo",), "gmt": ("gmt",), "spider": ("spider",), "agem": (f"{{agem: {{data: {general}, rows: 8}}}}",), "average": ("average",),
    "kl": ("kl",), "kl beside LoRA (adapter off)": ("kl", "adapter: {lora: {rank: 8}}\n"), "lwf": ("lwf",), "tmkl": ("tmkl",), "arr": ("{arr: {replay: [general]}}", "", replay),
    "dft": ("dft",), "talr": ("talr",), "eaft": ("eaft",), "asft": ("asft",), "stm": ("{stm: {perplexity: 1000000}}",), "flow": ("flow",), "replay 10 %": ("full", "", replay),
}
if arguments.only:
    methods = {n: m for n, m in methods.items() if any(n.startswith(o) for o in arguments.only.split(","))}


def recipe(method, lines="", sources="", output="run", start=model, initialize="random", steps=arguments.steps):
    path = f"{work}/{output}.yaml"
    open(path, "w").write(f"""model: {start}
initialize: {initialize}
method: {method.replace("RECORDED", f"{work}/recorded")}
{lines}data: [{{path: {world}/clinic.train.jsonl, name: domain, format: prompt_completion, train_on: all}}{", " + sources if sources else ""}]
sequence_length: 128
batch: {{rows: 8}}
steps: {steps}
learning_rate: 1.0e-4
schedule: constant
threads: 1
checkpoint: {{every: 100000, keep: 1}}
output: {work}/{output}
""")
    return path


def over(method):
    return dict(start=f"{work}/recorded/final", initialize="pretrained") if "RECORDED" in method else {}


def seconds(steps, name, method, lines, sources):
    """Processor time of a whole run."""
    shutil.rmtree(f"{work}/run", ignore_errors=True)
    shutil.rmtree(f"{work}/artifacts", ignore_errors=True)
    path = recipe(method, lines + f"artifacts: {work}/artifacts\n", sources, steps=steps, **over(method))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([holdfast, "tune", path], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{name}: {done.stderr[-1500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(name, method, lines="", sources=""):
    short, long = (seconds(steps, name, method, lines, sources) for steps in (4, 4 + arguments.steps))
    return dict(step=(long - short) / arguments.steps, begin=short)


def plan(name, method, lines="", sources=""):
    done = subprocess.run([holdfast, "plan", recipe(method, lines, sources, output="plan", **over(method)), "--json"], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else {"bytes": {}, "trained": 0, "parameters": 1}


done = subprocess.run([holdfast, "tune", recipe("path_integral", output="recorded")], capture_output=True, text=True)
assert done.returncode == 0, done.stderr
found = {name: [] for name in methods}
fulls = []
for _ in range(arguments.rounds):
    names, before = list(methods), run("full", "full")
    fulls.append(before)
    for at in range(0, len(names), 5):
        group = [(name, run(name, *methods[name])) for name in names[at: at + 5]]
        after = run("full", "full")
        fulls.append(after)
        beside = (before["step"] + after["step"]) / 2
        for name, result in group:
            result["ratio"] = result["step"] / beside
            result["preparation"] = max(0, result["begin"] - (before["begin"] + after["begin"]) / 2)
            found[name].append(result)
            print(f"{name}: {result['ratio']:.2f} of full, {result['step'] * 1e3:.0f} ms, preparation {result['preparation']:.1f} s", file=sys.stderr, flush=True)
        before = after
full_plan = plan("full", "full")
mib = 2**20
full_bytes = sum(full_plan["bytes"].values())
steps = [f["step"] for f in fulls]
print(f"{full_plan['parameters']:,} parameters, f32, 8 rows of 128 tokens, one thread, {arguments.rounds} rounds. Full fine-tuning: "
      f"{statistics.median(steps) * 1e3:.0f} ms a step ({min(steps) * 1e3:.0f} to {max(steps) * 1e3:.0f} over {len(steps)} runs), {full_bytes / mib:.0f} MiB of weights, gradients and moments.\n")
print("| method | a step, full = 1 | held, MiB beside full | preparation, s | trained |\n|---|---:|---:|---:|---:|")
for name, (method, *rest) in methods.items():
    results = found[name]
    ratios = [r["ratio"] for r in results]
    p = plan(name, method, *rest)
    held = f"{(sum(p['bytes'].values()) - full_bytes) / mib:+.1f}" if p["bytes"] else "–"
    preparation = statistics.median(r["preparation"] for r in results)
    print(f"| {name} | {statistics.mean(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | {held} | {preparation:.1f} | {100 * p['trained'] / p['parameters']:.0f} % |")
