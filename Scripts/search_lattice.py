#!/usr/bin/env python3
"""How good the tree search is, on the little world.

  Scripts/search_lattice.py WORK lattice --seeds 1,2,3     the search beside every node of its tree run in full: rank, regret, cost
  Scripts/search_lattice.py WORK planted --seeds 1,2,3,4,5 models of which one part alone can carry the skill: is it found?
  ... planted --lattice                                    both: every node of a planted model's tree in full beside the search

A planted model is the shipped one, made wider: sixteen new tokens differ in sixteen new channels of the residual stream only, and one
layer's attention or MLP alone (with --plant layer both of them, and no other layer) has a norm that lets these channels through. Everywhere else the norm's weights and the columns that
read the channels are zero together, so their gradients are exactly zero and stay so (what lower layers write into the channels can still
be felt a little through the denominators of norms). Old text gives what it gave before. The skill is
a table of the new tokens: a word for each. Embeddings and norms are held, as `hold` of the search does it.
Runs are kept in WORK and not repeated.
"""
import argparse, array, json, math, os, random, shutil, struct, subprocess

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
parser.add_argument("--finalists", type=int, default=1, help="regions that are run in full; the best of these runs is the choice")
parser.add_argument("--controls", type=int, default=0, help="random regions of equal size, run in full")
parser.add_argument("--hold", default="", help="modules that no run trains, with commas (planted: embeddings,norms,final_norm)")
parser.add_argument("--plant", choices=["part", "layer"], default="part", help="planted: what can carry the skill, attention or MLP of a layer, or both of them")
parser.add_argument("--lattice", action="store_true", help="planted: run every node in full as well")
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


def search(name, model, seed, domain, hold, *flags):
    output = os.path.join(arguments.work, name)
    recipe = output + ".yaml"
    suites = "".join(f"    - {{path: {world}/{f}.test.jsonl, measure: likelihood}}\n" for f in families)
    with open(recipe, "w") as file:
        file.write(f"""model: {model}
data: [{{path: {domain}.train.jsonl, format: prompt_completion}}]
sequence_length: 128
batch: {{rows: {arguments.rows}}}
steps: {arguments.steps}
learning_rate: {arguments.rate}
schedule: {{kind: cosine, warmup: 0.05}}
seed: {seed}
threads: 1
search:
  speciality: [{{path: {domain}.test.jsonl, measure: likelihood}}]
  versatility:
{suites}  items: {arguments.items}
  hold: [{", ".join(hold)}]
  probe_budget: {arguments.probe}
  dv: {arguments.dv}
  es: {arguments.es}
  controls: {0 if "--lattice" in flags else arguments.controls}
  finalists: {arguments.finalists}
  budget: {3 + arguments.finalists + arguments.controls}
  max_runs: {14 + arguments.finalists + arguments.controls}
output: {output}
""")
    run("search", recipe, *flags)
    with open(os.path.join(output, "search.jsonl")) as file:
        nodes = [json.loads(line) for line in file]
    with open(os.path.join(output, "result.json")) as file:
        return nodes, json.load(file)


def read(path):
    """Name: (shape, values), all of them f32."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: (h["shape"], array.array("f", data[slice(*h["data_offsets"])])) for name, h in header.items()}


def write(path, tensors):
    header, at = {}, 0
    for name, (shape, values) in tensors.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + 4 * len(values)]}
        at += 4 * len(values)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, values in tensors.values():
            file.write(values.tobytes())


def rotation(size, generator):
    """Rows of a random orthogonal matrix."""
    rows = []
    while len(rows) < size:
        row = [generator.gauss(0, 1) for _ in range(size)]
        for other in rows:
            dot = sum(a * b for a, b in zip(row, other))
            row = [a - dot * b for a, b in zip(row, other)]
        norm = math.sqrt(sum(a * a for a in row))
        rows.append([a / norm for a in row])
    return rows


NEW = 16  # tokens and channels
# Words that are single tokens of the shipped tokenizer.
ANSWERS = "fox bird cow dog frog sheep duck cat wolf hare bear mouse lamp key book ball hat cup coin egg".split()
FILLERS = "the old young small big proud slow kind first second green black white purple garden barrel saddle hunter potter gold".split()


def planted(seed):
    """The shipped model with a part that alone can carry the skill: its folder, layer, kind and number of layers, and the skill's files."""
    layer, kind = [(1, "mlp"), (2, "attention"), (0, "mlp"), (3, "attention"), (2, "mlp"), (0, "attention"), (1, "attention"), (3, "mlp")][seed % 8]
    if arguments.plant == "layer":
        layer, kind = seed % 4, "attention + mlp"
    mark = "layer-" if arguments.plant == "layer" else ""
    folder = os.path.join(arguments.work, f"planted-{mark}{seed}")
    base = os.path.join(root, "World", "base")
    with open(os.path.join(base, "config.json")) as file:
        config = json.load(file)
    layers, old = config["num_hidden_layers"], config["hidden_size"]
    domain = os.path.join(arguments.work, f"skill-{mark}{seed}")
    if os.path.isdir(folder):
        return folder, layer, kind, layers, domain
    generator = random.Random(seed)
    tensors = read(os.path.join(base, "model.safetensors"))
    new = old + NEW
    # RMSNorm divides by the root of a mean over more channels now, of which the new ones are zero in old text.
    keep = math.sqrt(old / new)
    names = {"attention": ("input_layernorm", ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]), "mlp": ("post_attention_layernorm", ["mlp.gate_proj", "mlp.up_proj"])}
    for name, (shape, values) in list(tensors.items()):
        if shape == [old]:
            seen = any(name == f"model.layers.{layer}.{names[k][0]}.weight" for k in kind.split(" + "))
            through = sum(values) / old * keep if seen else 0.0
            tensors[name] = ([new], array.array("f", [v * keep for v in values] + [through] * NEW))
        elif not name.endswith(("o_proj.weight", "down_proj.weight")):  # reads the residual stream: new columns, all zero
            rows = [values[r * old : (r + 1) * old] + array.array("f", [0.0] * NEW) for r in range(shape[0])]
            tensors[name] = ([shape[0], new], array.array("f", [v for row in rows for v in row]))
        else:  # writes it: new rows, all zero
            tensors[name] = ([new, shape[1]], values + array.array("f", [0.0] * (NEW * shape[1])))
    shape, values = tensors["model.embed_tokens.weight"]
    count = shape[0]
    mean = [sum(values[r * new + c] for r in range(count)) / count for c in range(old)]
    # Louder than a word, so that what hears it learns it within a probe.
    length = 3 * math.sqrt(sum(v * v for v in values) / count)
    for row in rotation(NEW, generator):
        values.extend(array.array("f", mean + [length * v for v in row]))
    tensors["model.embed_tokens.weight"] = ([count + NEW, new], values)
    os.makedirs(folder + ".partial", exist_ok=True)
    write(os.path.join(folder + ".partial", "model.safetensors"), tensors)
    config.update(hidden_size=new, vocab_size=count + NEW)
    with open(os.path.join(folder + ".partial", "config.json"), "w") as file:
        json.dump(config, file)
    with open(os.path.join(base, "tokenizer.json")) as file:
        tokenizer = json.load(file)
    for i in range(NEW):
        tokenizer["added_tokens"].append({"id": count + i, "content": f"<{i:02}>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False})
    with open(os.path.join(folder + ".partial", "tokenizer.json"), "w") as file:
        json.dump(tokenizer, file)
    shutil.copy(os.path.join(base, "tokenizer_config.json"), folder + ".partial")

    answers = generator.sample(ANSWERS, NEW)
    for part, size in (("train", 1500), ("test", max(200, arguments.items))):
        with open(f"{domain}.{part}.jsonl", "w") as file:
            for _ in range(size):
                i = generator.randrange(NEW)
                words = " ".join(generator.choice(FILLERS) for _ in range(generator.randint(1, 4)))
                file.write(json.dumps({"prompt": f"{words}<{i:02}>", "completion": " " + answers[i]}) + "\n")
    os.rename(folder + ".partial", folder)
    return folder, layer, kind, layers, domain


def percent(node):
    return f"{100 * node['speciality']['value']:.1f} | {100 * node['versatility']['value']:.1f} | {node['uni']:.3f}"


def compare(name, seed, model, domain, hold):
    """The search beside its lattice."""
    everything, _ = search(f"lattice-{name}", model, seed, domain, hold, "--lattice")
    visited, result = search(f"search-{name}", model, seed, domain, hold)
    ranked = sorted(everything, key=lambda n: -n["uni"])
    names = [n["node"] for n in ranked]
    rank = names.index(result["chosen"])
    print(f"\n{name}: {len(ranked)} nodes in full; the search visited {len(visited)} at a cost of {result['cost']:.2f} full runs")
    print(f"chosen: {result['chosen']}, rank {rank + 1} of {len(ranked)}, regret {ranked[0]['uni'] - ranked[rank]['uni']:.3f} Uni; {result['ending']}")
    print("| rank | node | speciality | versatility | Uni |\n|---:|---|---:|---:|---:|")
    for place in sorted({0, 1, 2, rank, names.index("everything"), len(names) - 1}):
        print(f"| {place + 1} | {names[place]} | {percent(ranked[place])} |")
    show(result)
    return everything, visited, result


def show(result):
    for full in result["full"]:
        print(f"| | in full: {full['name']} | {100 * full['speciality']:.1f} | {100 * full['versatility']:.1f} | {full['uni']:.3f} |")


for seed in [int(s) for s in arguments.seeds.split(",")]:
    hold = [word for word in arguments.hold.split(",") if word]
    if arguments.what == "lattice":
        domain = os.path.join(world, arguments.domain)
        compare("-".join([arguments.domain, str(seed), str(arguments.steps), str(arguments.es)] + hold), seed, os.path.join(root, "World", "base"), domain, hold)
    else:
        folder, layer, kind, layers, domain = planted(seed)
        hold = hold or ["embeddings", "norms", "final_norm"]
        name = f"planted-{'layer-' if arguments.plant == 'layer' else ''}{seed}-{arguments.steps}-{arguments.rate}-{arguments.probe}-{arguments.es}-{arguments.dv}"

        def place(node):
            """How near to the planted part a node is."""
            if not node["modules"]:
                return f"in {layers} of {layers} layers"
            low, high = [round(float(x.rstrip("%")) / 100 * layers) for x in node["layers"]]
            kinds = {"attention" if m.startswith("attention") else "mlp" for m in node["modules"]}
            planted_kinds = set(kind.split(" + "))
            if not (low <= layer < high and planted_kinds & kinds):
                return "not found"
            if high - low > 1:
                return f"in {high - low} of {layers} layers"
            return "found" if kinds <= planted_kinds else "its layer found"

        if arguments.lattice:
            visited, _, result = compare(name, seed, folder, domain, hold)
        else:
            visited, result = search(f"search-{name}", folder, seed, domain, hold)
        chosen = next(n for n in visited if n["node"] == result["chosen"])
        outside = [n["speciality"]["value"] for n in visited if place(n) == "not found"]
        print(f"seed {seed}: planted in layer {layer} {kind}; chosen {result['chosen']}: {place(chosen)}; best speciality of a node without "
              f"the planted part {100 * max(outside):.1f} %; {len(visited)} nodes, cost {result['cost']:.2f}; {result['ending']}")
        if not arguments.lattice:
            for node in visited:
                print(f"| {node['level']} | {node['node']} | {percent(node)} | {node['verdict']} |")
            show(result)
