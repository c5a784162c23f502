#!/usr/bin/env python3
"""How good the tree search is, on the little world.

  Scripts/search_lattice.py WORK lattice --seeds 1,2,3     the search beside every node of its tree run in full: rank, regret, cost
  Scripts/search_lattice.py WORK planted --seeds 1,2,3,4,5 models in which one matrix alone can carry the skill: is it found?

Planting changes no output of the model: norms, weights and what reads them are scaled against one another, so that a step of Adam has a
small part of its effect everywhere but on one matrix. Runs are kept in WORK and not repeated.
"""
import argparse, array, json, os, shutil, struct, subprocess

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
parser.add_argument("work")
parser.add_argument("what", choices=["lattice", "planted"])
parser.add_argument("--seeds", default="1")
parser.add_argument("--domain", default="clinic")
parser.add_argument("--steps", type=int, default=60)
parser.add_argument("--rows", type=int, default=8)
parser.add_argument("--items", type=int, default=150)
parser.add_argument("--rate", type=float, default=1e-3)
parser.add_argument("--probe", type=float, default=0.15)
parser.add_argument("--dv", type=float, default=1.0)
parser.add_argument("--es", type=float, default=0.03)
parser.add_argument("--controls", type=int, default=0, help="random regions of equal size, run in full")
parser.add_argument("--damping", type=float, default=10.0, help="planted: how many times smaller a step's effect is outside the matrix")
arguments = parser.parse_args()
holdfast = os.environ.get("HOLDFAST", os.path.join(root, "holdfast"))
os.makedirs(arguments.work, exist_ok=True)
world = os.path.join(arguments.work, "world")
families = ["facts", "sums", "stories"]


def run(*words):
    result = subprocess.run([holdfast, *words], capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(words)}\n{result.stderr[-2000:]}")
    return result


if not os.path.isdir(world):
    run("world", "--output", world, "--documents", "1000", "--train", "3000", "--held-out", str(max(200, arguments.items)))


def search(name, model, seed, *flags):
    output = os.path.join(arguments.work, name)
    recipe = output + ".yaml"
    suites = "".join(f"    - {{path: {world}/{f}.test.jsonl, measure: likelihood}}\n" for f in families)
    with open(recipe, "w") as file:
        file.write(f"""model: {model}
data: [{{path: {world}/{arguments.domain}.train.jsonl, format: prompt_completion}}]
sequence_length: 128
batch: {{rows: {arguments.rows}}}
steps: {arguments.steps}
learning_rate: {arguments.rate}
schedule: {{kind: cosine, warmup: 0.05}}
seed: {seed}
search:
  speciality: [{{path: {world}/{arguments.domain}.test.jsonl, measure: likelihood}}]
  versatility:
{suites}  items: {arguments.items}
  probe_budget: {arguments.probe}
  dv: {arguments.dv}
  es: {arguments.es}
  controls: {0 if "--lattice" in flags else arguments.controls}
  budget: {4 + arguments.controls}
  max_runs: {15 + arguments.controls}
output: {output}
""")
    run("search", recipe, *flags)
    with open(os.path.join(output, "search.jsonl")) as file:
        nodes = [json.loads(line) for line in file]
    with open(os.path.join(output, "result.json")) as file:
        return nodes, json.load(file)


def read(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        return header, bytearray(file.read())


def planted(seed):
    """The shipped model with one matrix that alone keeps its step: its folder, layer and module."""
    layer, module = [(1, "down"), (2, "up"), (0, "up"), (3, "down"), (1, "up")][(seed - 1) % 5]
    folder = os.path.join(arguments.work, f"planted-{seed}-{arguments.damping}")
    with open(os.path.join(root, "World", "base", "config.json")) as file:
        layers = json.load(file)["num_hidden_layers"]
    if not os.path.isdir(folder):
        shutil.copytree(os.path.join(root, "World", "base"), folder + ".partial", dirs_exist_ok=True)
        header, data = read(os.path.join(folder + ".partial", "model.safetensors"))
        damping = arguments.damping

        def scale(name, factor):
            start, end = header[name]["data_offsets"]
            values = array.array("f", bytes(data[start:end]))
            data[start:end] = array.array("f", (v * factor for v in values)).tobytes()

        # The residual stream is larger, so that a step on the embedding, on o and on down is a smaller part of it.
        scale("model.embed_tokens.weight", damping)
        scale("model.norm.weight", 1 / damping)
        for l in range(layers):
            at = f"model.layers.{l}."
            scale(at + "input_layernorm.weight", 1 / damping)
            for name in "qkv":
                scale(at + f"self_attn.{name}_proj.weight", damping)
            scale(at + "self_attn.o_proj.weight", damping)
            scale(at + "post_attention_layernorm.weight", 1 / damping)
            scale(at + "mlp.gate_proj.weight", damping)
            # What up gives is scaled by `inner`, and down makes up for it: the planted one of the two keeps its own step.
            inner = 1 if l != layer else damping if module == "down" else 1 / damping
            scale(at + "mlp.up_proj.weight", inner * damping)
            scale(at + "mlp.down_proj.weight", damping / inner)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(os.path.join(folder + ".partial", "model.safetensors"), "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + bytes(data))
        integrity = os.path.join(folder + ".partial", "integrity.json")
        if os.path.exists(integrity):
            os.remove(integrity)
        os.rename(folder + ".partial", folder)
    return folder, layer, module, layers


def percent(node):
    return f"{100 * node['speciality']['value']:.1f} | {100 * node['versatility']['value']:.1f} | {node['uni']:.3f}"


for seed in [int(s) for s in arguments.seeds.split(",")]:
    if arguments.what == "lattice":
        base = os.path.join(root, "World", "base")
        everything, _ = search(f"lattice-{seed}", base, seed, "--lattice")
        visited, result = search(f"search-{seed}", base, seed)
        ranked = sorted(everything, key=lambda n: -n["uni"])
        names = [n["node"] for n in ranked]
        rank = names.index(result["chosen"])
        print(f"\nseed {seed}: {len(ranked)} nodes in full; the search visited {len(visited)} at a cost of {result['cost']:.2f} full runs")
        print(f"chosen: {result['chosen']}, rank {rank + 1} of {len(ranked)}, regret {ranked[0]['uni'] - ranked[rank]['uni']:.3f} Uni; {result['ending']}")
        print("| rank | node | speciality | versatility | Uni |\n|---:|---|---:|---:|---:|")
        for place in sorted({0, 1, 2, rank, names.index("everything"), len(names) - 1}):
            print(f"| {place + 1} | {names[place]} | {percent(ranked[place])} |")
        for full in result["full"]:
            print(f"| | in full: {full['name']} | {100 * full['speciality']:.1f} | {100 * full['versatility']:.1f} | {full['uni']:.3f} |")
    else:
        folder, layer, module, layers = planted(seed)
        visited, result = search(f"planted-search-{seed}-{arguments.damping}-{arguments.probe}-{arguments.es}-{arguments.dv}", folder, seed)

        def holds(node):
            """Whether a node lies in the planted layer, and whether it is the matrix or its pair."""
            if not node["modules"]:
                return False, False
            share = [float(x.rstrip("%")) / 100 for x in node["layers"]]
            inside = (round(share[0] * layers), round(share[1] * layers)) == (layer, layer + 1)
            return inside, inside and node["modules"] == ["mlp." + module]

        chosen = next(n for n in visited if n["node"] == result["chosen"])
        passing = [n for n in visited if n["expandable"]]
        words = [" and ".join(w for w, y in zip(["layer", "matrix"], holds(n)) if y) or "nothing" for n in (chosen, passing[-1])]
        print(f"seed {seed}: planted layer {layer} mlp.{module}; chosen {result['chosen']}: {words[0]} found; last node that passes {passing[-1]['node']}: {words[1]} found; "
              f"{len(visited)} nodes, cost {result['cost']:.2f}; {result['ending']}")
        for node in visited:
            print(f"    {node['node']}: {percent(node)}  {node['verdict']}")
        for full in result["full"]:
            print(f"    in full {full['name']}: {100 * full['speciality']:.1f} | {100 * full['versatility']:.1f} | {full['uni']:.3f}")
