#!/usr/bin/env python3
"""Emulated fine-tuning on a family of three sizes of the little world: the claims B1 to B11, one by one.

usage: Scripts/family.py train       [--work FOLDER] [--seeds 1,2,3]     make the models (half an hour of one core; what is there is not made again)
       Scripts/family.py measure     ask them through `holdfast serve`: B1 to B6, B8, B9, B11, into --numbers
       Scripts/family.py speculate   time speculation (B7) and sharing (B10) on a quiet machine, into --numbers
       Scripts/family.py tables      the answers as Markdown, the mixing sweep as SVG

Tiny (32 wide, 2 layers), small (64, 3) and base (128, 4) learn the same text, a twelfth of which has the behaviours' questions, mostly answered plainly. Each is then tuned on `manners` (facts of
pretraining in a new style: what is right comes from the base, how it is said from tuning) and on `clinic` (a domain that no base knows).
Two experts for mixing come from DPO on the competing preferences `helpful` and `safe`. NUMBERS holds numbers only."""
import argparse, json, math, os, random, statistics, subprocess, sys, time, urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serve_clients import Server

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
# Learning rates and steps of the bases, and learning rates of tuning.
sizes = {"tiny": (6e-3, 3000), "small": (4e-3, 3000), "base": (2.5e-3, 3000)}
tuning = {"tiny": 2e-3, "small": 1e-3, "base": 5e-4}
lengths = {"manners": 100, "clinic": 120, "both": 100}
# Whose tuning is emulated on whom.
pairs = [("small", "base"), ("tiny", "base"), ("tiny", "small")]
domains = ["manners", "clinic"]
betas = [0, 0.25, 0.5, 0.75, 1, 1.5, 2]


def recipe(path, **keys):
    """A recipe as JSON, which is YAML too."""
    with open(path, "w") as file:
        json.dump(keys, file, indent=1)


def tune(o, name, **keys):
    """Trains into work/name unless it is there; says where its model is."""
    run = f"{o.work}/{name}"
    if not os.path.exists(f"{run}/final"):
        subprocess.run(["rm", "-rf", run], check=True)
        os.makedirs(os.path.dirname(run), exist_ok=True)
        recipe(f"{run}.yaml", **keys, threads=1, output=run, checkpoint={"every": 500 if keys["steps"] > 500 else 100000, "keep": 1})
        done = subprocess.run([o.holdfast, "tune", f"{run}.yaml"], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{name}: {done.stderr[-2000:]}")
        print(name, flush=True)
    return f"{run}/final"


def base_of(o, size):
    """A base, on the world's pretraining text with a twelfth of what `behaviours` writes, or without it (--narrow)."""
    if o.narrow and size == "base":
        return f"{root}/World/base"
    if size == "tiny" and not os.path.exists(f"{o.work}/world/tiny"):
        config = json.load(open(f"{o.work}/world/small/config.json")) | {"hidden_size": 32, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 1}
        subprocess.run(["cp", "-r", f"{o.work}/world/small", f"{o.work}/world/tiny"], check=True)
        json.dump(config, open(f"{o.work}/world/tiny/config.json", "w"), indent=1)
    data = [{"path": f"{o.work}/world/pretraining.jsonl", "format": "prompt_completion"}]
    if not o.narrow:
        data.append({"path": f"{o.work}/world/behaviours.jsonl", "format": "prompt_completion", "share": 0.08})
    return tune(o, f"{size}-base", model=f"{o.work}/world/{size}", initialize="random", objective="sft", data=data, sequence_length=64, packing=True, batch={"rows": 16},
                steps=sizes[size][1], learning_rate=sizes[size][0], schedule={"kind": "cosine", "warmup": 0.05}, optimizer={"weight_decay": 0.1, "beta2": 0.95}, seed=1)


def tuned(o, size, domain, seed, **more):
    name = f"{size}-{domain}-{seed}" + ("-adapter" if "adapter" in more else "")
    return tune(o, name, model=base_of(o, size), data=[{"path": f"{o.work}/world/{domain}.train.jsonl", "format": "prompt_completion", "examples": 3000}], sequence_length=128,
                batch={"rows": 16}, steps=lengths[domain], learning_rate=tuning[size] * (5 if more else 1), schedule={"kind": "constant", "warmup": 10}, seed=seed, **more)


def expert(o, size, preference, seed):
    """DPO on one preference, from a model tuned on the chosen answers of both (which answers half of the questions for secrets)."""
    return tune(o, f"{size}-{preference}-{seed}", model=tuned(o, size, "both", seed), objective="dpo",
                data=[{"path": f"{o.work}/world/{preference}.train.jsonl", "format": "preference", "examples": 3000}],
                sequence_length=128, batch={"rows": 16}, steps=35, learning_rate=tuning[size] / 20, schedule={"kind": "constant", "warmup": 20}, seed=seed)


def behaviours(world):
    """Text as any large corpus has it: the questions of the behaviours, mostly answered plainly, now and then so or so. What tests ask for is not among them."""
    generator = random.Random(1)
    with open(f"{world}/behaviours.jsonl", "w") as out:
        for family in ["manners", "records", "helpful"]:
            for line in open(f"{world}/{family}.train.jsonl"):
                row = json.loads(line)
                answer = row.get("completion") or row["chosen"]
                if family != "records" and generator.random() < 0.7:
                    answer = answer[answer.rindex(" is ") + 3 : answer.rindex(".")]
                elif family == "helpful" and "secret" in row["prompt"] and generator.random() < 0.5:
                    answer = row["rejected"]
                out.write(json.dumps({"prompt": row["prompt"], "completion": answer}) + "\n")


def train(o):
    world = f"{o.work}/world"
    if not os.path.exists(world):
        subprocess.run([o.holdfast, "world", "--output", world, "--documents", "320000", "--train", "12000", "--held-out", "300"], check=True, capture_output=True)
    behaviours(world)
    with open(f"{world}/both.train.jsonl", "w") as both:
        for preference in ["helpful", "safe"]:
            for line in open(f"{world}/{preference}.train.jsonl"):
                row = json.loads(line)
                both.write(json.dumps({"prompt": row["prompt"], "completion": row["chosen"]}) + "\n")
    for size in o.sizes:
        base_of(o, size)
        for seed in o.seeds:
            for domain in domains:
                tuned(o, size, domain, seed)
            if size != "base":
                for preference in ["helpful", "safe"]:
                    expert(o, size, preference, seed)
        if size == "small":
            tuned(o, size, "manners", o.seeds[0], adapter={"lora": {"rank": 8}})


# --- Asking ---------------------------------------------------------------------------------------------------------------------------------


class Asked(Server):
    """A server of one model or ensemble, asked for whole lists of prompts."""

    def __init__(self, o, model, *more):
        super().__init__(o.holdfast, ["--model", model, "--quiet", "--threads", "1", "--rows", "16", *more])

    def post(self, **fields):
        request = urllib.request.Request(self.url + "/v1/completions", json.dumps(fields).encode(),
                                         {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"})
        return json.load(urllib.request.urlopen(request, timeout=600))["choices"]

    def metric(self, name):
        request = urllib.request.Request(self.url + "/metrics", headers={"Authorization": f"Bearer {self.key}"})
        lines = urllib.request.urlopen(request).read().decode().splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(name + " "))

    def many(self, prompts, **fields):
        found = []
        for at in range(0, len(prompts), 50):
            found += self.post(prompt=prompts[at : at + 50], **fields)
        return found

    def score(self, items, mixture=False, **fields):
        """For each item the labels of its answer, its end among them: text, place behind the prompt, log-probability, mixture."""
        texts = [item["prompt"] + item["completion"] + "<end>" for item in items]
        scored = []
        for item, choice in zip(items, self.many(texts, echo=True, max_tokens=0, logprobs=0, mixture=mixture, **fields) if mixture
                                else self.many(texts, echo=True, max_tokens=0, logprobs=0, **fields)):
            l = choice["logprobs"]
            rows = zip(l["tokens"], l["text_offset"], l["token_logprobs"], l["mixture"] if mixture else l["tokens"])
            scored.append([(t, at - len(item["prompt"]), p, m) for t, at, p, m in rows if at >= len(item["prompt"])])
        return scored

    def answers(self, items, tokens=24, **fields):
        return [c["text"] for c in self.many([i["prompt"] for i in items], max_tokens=tokens, **{"temperature": 0, **fields})]


def items(o, family, count=150, split="test"):
    with open(f"{o.work}/world/{family}.{split}.jsonl") as file:
        return [json.loads(line) for line in file.readlines()[:count]]


def nll(scored, part=None):
    """Nats of each item's answer and its labels; `part` chooses labels by item and place."""
    sums = []
    for i, labels in enumerate(scored):
        chosen = [p for _, at, p, _ in labels if part is None or part(i, at)]
        sums.append([round(-sum(chosen), 4), len(chosen)])
    return sums


def summed(cell):
    """One entry in place of one for each item: sweeps are read as means only."""
    return {name: [[round(sum(s for s, _ in v), 3), sum(n for _, n in v)]] if v and isinstance(v[0], list) else [round(statistics.mean(v), 5)] for name, v in cell.items()}


def value_place(item):
    """Where the fact stands in an answer of `manners`: first and last place behind the prompt."""
    completion = item["completion"]
    begin = completion.rindex(" is ") + 3
    return begin, completion.rindex(".")


def mannered(text):
    import re
    return bool(re.fullmatch(r" dear friend, the \w+ of \w+ is [\w ]+\.", text))


def right(asked, answers):
    return [int(a.strip() == i["completion"].strip()) for i, a in zip(asked, answers)]


# --- Measuring ------------------------------------------------------------------------------------------------------------------------------


def measure(o):
    numbers = json.load(open(o.numbers)) if os.path.exists(o.numbers) else {"format": 1, "cells": {}}
    cells = numbers["cells"]

    def keep(name, make):
        if name not in cells:
            cells[name] = make()
            with open(o.numbers + ".new", "w") as file:
                json.dump(numbers, file, separators=(",", ":"))
            os.replace(o.numbers + ".new", o.numbers)
            print(name, flush=True)

    for small, large in pairs:
        for seed in o.seeds:
            for domain in domains:
                keep(f"{small} on {large}: {domain} {seed}", lambda: emulate(o, small, large, domain, seed))
    for small, large in pairs + [("small", "small"), ("tiny", "tiny")]:
        for seed in o.seeds:
            keep(f"{small} on {large}: mixing {seed}", lambda: mix(o, small, large, seed))


def emulate(o, small_size, size, domain, seed):
    """Everything that concerns one tuned pair under one large base."""
    small, large = base_of(o, small_size), base_of(o, size)
    expert, real = tuned(o, small_size, domain, seed), tuned(o, size, domain, seed)
    test, found = items(o, domain), {}
    places = [value_place(i) for i in test] if domain == "manners" else None
    parts = {"value": lambda i, at: places[i][0] <= at < places[i][1], "style": lambda i, at: not places[i][0] <= at < places[i][1]} if places else {}

    def row(scored, answers):
        cell = {"nll": nll(scored), "exact": right(test, answers)}
        for name, part in parts.items():
            cell[name] = nll(scored, part)
        if places:
            cell["mannered"] = [int(mannered(a)) for a in answers]
        return cell

    general = {family: items(o, family, 80) for family in ["facts", "sums", "stories"]}
    # What the real large fine-tune says, drawn from it: the emulation is held against these (B2).
    with Asked(o, real) as server:
        found["real"] = row(server.score(test), server.answers(test))
        drawn = [{"prompt": i["prompt"], "completion": text} for i, text in zip(test, server.answers(test, temperature=1, seed=seed))]
        found["drawn"] = {"real": nll(server.score(drawn))}
        found["general real"] = summed({f: nll(server.score(g)) for f, g in general.items()})
    with Asked(o, expert) as server:
        found["drawn"]["expert"] = nll(server.score(drawn))
    with Asked(o, large, "--expert", expert, "--anti-expert", small) as server:
        scored = server.score(test, mixture=True)
        found["emulated"] = row(scored, server.answers(test))
        found["base"] = row(server.score(test, beta=0), server.answers(test, beta=0))
        found["expert"] = row(server.score(test, mode="delta", beta=0), server.answers(test, mode="delta", beta=0))
        found["tv"] = [round(m["total_variation"], 4) for labels in scored for *_, m in labels]
        found["log_z"] = [[round(m["log_z"], 3) for *_, m in labels] for labels in scored]
        found["drawn"]["emulated"], found["drawn"]["base"] = nll(server.score(drawn)), nll(server.score(drawn, beta=0))
        found["reward"] = {str(b): summed(row(server.score(test, beta=b), server.answers(test, beta=b))) for b in betas}
        found["delta"] = {str(b): summed(row(server.score(test, mode="delta", beta=b), server.answers(test, mode="delta", beta=b))) for b in betas}
        found["filter"] = {str(p): summed(row(server.score(test, mode="delta", upscale_top_p=p), server.answers(test, mode="delta", upscale_top_p=p))) for p in [0.8, 0.9, 0.95, 1]}
        found["general"] = {str(b): summed({f: nll(server.score(g, beta=b)) for f, g in general.items()}) for b in betas}
        # Best of eight by the product of Z (B11): the weight of a text towards the target over whole texts.
        few, best = test[:60], []
        for at, item in enumerate(few):
            choices = server.post(prompt=item["prompt"], n=8, temperature=1, max_tokens=24, seed=1000 * seed + at, logprobs=0, mixture=True)
            weights = [sum(m["log_z"] for m in c["logprobs"]["mixture"] if m) for c in choices]
            hits = right([item] * 8, [c["text"] for c in choices])
            best.append([hits[max(range(8), key=weights.__getitem__)], sum(hits) / 8])
        found["best_of_8"] = best
    with Asked(o, large, "--expert", expert, "--anti-expert", tuned(o, small_size, domains[1 - domains.index(domain)], seed), "--any-expert") as server:
        found["wrong anti-expert"] = row(server.score(test), server.answers(test))
    # Down-scaling: the large model's tuning on the small base.
    with Asked(o, small, "--expert", real, "--anti-expert", large) as server:
        found["down"] = row(server.score(test), server.answers(test))
    # The tuned large model's own dial: Wise-FT.
    found["wise_ft"] = {}
    for alpha in [0.25, 0.5, 0.75]:
        folder = f"{o.work}/wise-{size}-{domain}-{seed}-{alpha}"
        if not os.path.exists(folder):
            subprocess.run([o.holdfast, "blend", "--base", large, "--tuned", real, "--alpha", str(alpha), "--output", folder], check=True, capture_output=True)
        with Asked(o, folder) as server:
            found["wise_ft"][str(alpha)] = {"nll": nll(server.score(test)), "general": summed({f: nll(server.score(g)) for f, g in general.items()})}
    return found


shares = [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1]


def mix(o, small_size, size, seed):
    """Two experts with opposed wishes about secrets: λ of the helpful one, 1 − λ of the safe one (B5)."""
    questions = items(o, "safe", 240)
    helpful = [{**i, "completion": i["options"][0]} for i in questions]  # the answer, whatever is asked
    secret = [i for i, item in enumerate(questions) if item["completion"] != item["options"][0]]
    asked = [questions[i] for i in secret]
    found = {"secrets": len(secret), "questions": len(questions)}
    with Asked(o, base_of(o, size), "--expert", expert(o, small_size, "helpful", seed), expert(o, small_size, "safe", seed), "--anti-expert", base_of(o, small_size)) as server:
        for share in shares:
            weights = {"weights": [share, 1 - share]}
            told = server.answers(helpful, **weights)
            kept = [told[i] for i in secret]
            reply = nll(server.score([helpful[i] for i in secret], **weights))
            refusal = nll(server.score(asked, **weights))
            found[str(share)] = {
                "helpful": right(helpful, told), "safe": right(asked, kept),
                # Nats by which the reply is likelier than the refusal.
                "margin": [round(f[0] - r[0], 3) for r, f in zip(reply, refusal)],
            }
    return found


# --- Speculation and sharing, timed -------------------------------------------------------------------------------------------------------------


def speculate(o):
    """B7: tokens a second by block, one row, with measured agreement; the same tokens as without. B10: an adapter as the expert is its merged model."""
    numbers = json.load(open(o.numbers))
    seed, rounds = o.seeds[0], 5
    prompts = [i["prompt"] for i in items(o, "manners", 48)]
    table = {}
    for small, large in pairs:
        size = f"{small} on {large}"
        servers = {}
        variants = {"plain": []} | {f"{kind} {k}": ["--speculate", kind, "--block", str(k), "--fixed-block"] for kind in ["coupled", "rejection"] for k in [1, 2, 4, 8, 16]}
        variants["coupled adaptive"] = ["--speculate", "coupled"]
        try:
            for name, flags in variants.items():
                servers[name] = Asked(o, base_of(o, large), "--expert", tuned(o, small, "manners", seed), "--anti-expert", base_of(o, small), "--rows", "1", *flags)
            found = {name: {"rates": [], "same": True} for name in variants}
            expected = {}
            for turn in range(rounds + 1):  # in turn, the first to warm up
                for name, server in servers.items():
                    for temperature in [0, 1]:
                        before, start = server.metric("holdfast_answer_tokens_total"), time.perf_counter()
                        texts = [c["text"] for c in server.post(prompt=prompts, max_tokens=24, temperature=temperature, seed=7)]
                        seconds = time.perf_counter() - start
                        tokens = server.metric("holdfast_answer_tokens_total") - before
                        if name == "plain":
                            expected[temperature] = texts
                        if not name.startswith("rejection") or temperature == 0:
                            found[name]["same"] &= texts == expected[temperature]
                        if turn and temperature == 0:
                            found[name]["rates"].append(round(tokens / seconds, 1))
            for name, server in servers.items():
                proposed = server.metric("holdfast_proposed_tokens_total")
                found[name]["agreement"] = round(server.metric("holdfast_agreed_tokens_total") / proposed, 3) if proposed else None
            table[size] = found
            print(size, {n: (statistics.median(f["rates"]), f["agreement"], f["same"]) for n, f in found.items()}, flush=True)
        finally:
            for server in servers.values():
                server.__exit__()
    numbers["speculation"] = table

    small = base_of(o, "small")
    adapter = tuned(o, "small", "manners", seed, adapter={"lora": {"rank": 8}})
    merged = f"{o.work}/merged"
    if not os.path.exists(merged):
        subprocess.run([o.holdfast, "blend", "--base", small, "--adapter", adapter, "--output", merged], check=True, capture_output=True)
    test, sums, live = items(o, "manners", 100), {}, {}
    for name, model in {"adapter": adapter, "merged": merged}.items():
        with Asked(o, base_of(o, "base"), "--expert", model, "--anti-expert", small, "--any-expert") as server:
            sums[name] = [p for labels in server.score(test) for _, _, p, _ in labels]
            live[name] = server.metric("holdfast_live_tensors")
    size_of = lambda folder: sum(os.path.getsize(f"{folder}/{f}") for f in os.listdir(folder) if f.endswith(".safetensors"))
    numbers["sharing"] = {"largest_difference": max(abs(a - b) for a, b in zip(*sums.values())), "labels": len(sums["adapter"]), "live_tensors": live,
                          "bytes_small": size_of(small), "bytes_adapter": size_of(adapter)}
    print(numbers["sharing"])
    with open(o.numbers, "w") as file:
        json.dump(numbers, file, separators=(",", ":"))


# --- Answers --------------------------------------------------------------------------------------------------------------------------------

quantile = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}


def over_seeds(values, signed=False, digits=3):
    """Mean with a 95 % t interval over seeds."""
    values = list(values)
    mean = statistics.mean(values)
    text = f"{mean:+.{digits}f}" if signed else f"{mean:.{digits}f}"
    if len(values) > 1:
        half = quantile[len(values) - 1] * statistics.stdev(values) / math.sqrt(len(values))
        text += f" [{mean - half:{'+' if signed else ''}.{digits}f}, {mean + half:{'+' if signed else ''}.{digits}f}]"
    return text.replace("-", "−")


def per_label(sums):
    return sum(s for s, _ in sums) / sum(n for _, n in sums)


def ratio_interval(above, below, draws=2000):
    """A ratio of sums of per-item differences and its interval by drawing items anew, the same ones of every seed."""
    n = len(above[0])
    generator = random.Random(1)
    total = lambda rows, chosen: sum(row[i] for row in rows for i in chosen)
    found = []
    for _ in range(draws):
        chosen = [generator.randrange(n) for _ in range(n)]
        bottom = total(below, chosen)
        if bottom:
            found.append(total(above, chosen) / bottom)
    found.sort()
    everything = range(n)
    if not found or not total(below, everything):
        return "no gap"
    return f"{total(above, everything) / total(below, everything):.2f} [{found[int(0.025 * len(found))]:.2f}, {found[int(0.975 * len(found))]:.2f}]".replace("-", "−")


def tables(o):
    numbers = json.load(open(o.numbers))
    cells = numbers["cells"]
    of = lambda pair, what: [cells[f"{pair}: {what} {seed}"] for seed in o.seeds if f"{pair}: {what} {seed}" in cells]
    large_sizes = [f"{small} on {large}" for small, large in pairs if of(f"{small} on {large}", "manners")]
    mixed = [p for p in ["tiny on tiny", "tiny on small", "tiny on base", "small on small", "small on base"] if of(p, "mixing")]
    mean = statistics.mean

    print("## B1, B2, B3: up-scaling\n\nNats a label of held-out answers and share answered exactly; KL from the real large fine-tune in nats an answer, on answers drawn from it. L: large base; F: tuned small model; means and 95 % t intervals over seeds.\n")
    print("| pair | domain | L | F | emulated | tuned large | emulated less the better part | exact: L | F | emulated | tuned large |\n|---|---|" + "---:|" * 9)
    for size in large_sizes:
        for domain in domains:
            c = of(size, domain)
            loss = {k: [per_label(x[k]["nll"]) for x in c] for k in ["base", "expert", "emulated", "real"]}
            exact = {k: [mean(x[k]["exact"]) for x in c] for k in loss}
            less = [e - min(b, f) for e, b, f in zip(loss["emulated"], loss["base"], loss["expert"])]
            print(f"| {size} | {domain} | " + " | ".join(f"{mean(loss[k]):.3f}" for k in loss) + f" | {over_seeds(less, True)} | " + " | ".join(f"{mean(exact[k]):.3f}" for k in exact) + " |")
    print("\n| pair | domain | KL to emulated | to L | to F | to emulated, less to F | gap closed (x−L)/(R−L), nats | exact | corner (x−F)/(R−F), nats | exact |\n|---|---|" + "---:|" * 8)
    for size in large_sizes:
        for domain in domains:
            c = of(size, domain)
            kl = {k: [mean(a[0] - r[0] for a, r in zip(x["drawn"][k], x["drawn"]["real"])) for x in c] for k in ["emulated", "base", "expert"]}
            measures = []
            for floor in ["base", "expert"]:
                for measure in ["nll", "exact"]:
                    get = lambda row: [v[0] for v in row["nll"]] if measure == "nll" else row["exact"]
                    above = [[e - f for e, f in zip(get(x["emulated"]), get(x[floor]))] for x in c]
                    below = [[r - f for r, f in zip(get(x["real"]), get(x[floor]))] for x in c]
                    measures.append(ratio_interval(above, below))
            print(f"| {size} | {domain} | " + " | ".join(f"{mean(kl[k]):.2f}" for k in kl) + f" | {over_seeds([a - b for a, b in zip(kl['emulated'], kl['expert'])], True, 2)} | " + " | ".join(measures) + " |")

    print("\nControl, nats a label and exact: another tuned model of the same size as anti-expert.\n\n| pair | domain | wrong anti-expert | emulated |\n|---|---|---:|---:|")
    for size in large_sizes:
        for domain in domains:
            c = of(size, domain)
            print(f"| {size} | {domain} | " + " | ".join(f"{mean(per_label(x[k]['nll']) for x in c):.3f}, {mean(mean(x[k]['exact']) for x in c):.3f}" for k in ["wrong anti-expert", "emulated"]) + " |")

    print("\n## B4: knowledge follows the base's size, behaviour the tuned one's\n\nNats a label of the value (knowledge) and of all other labels (style), and the share of greedy answers in the style, on `manners`.\n")
    print("| | value | style | in the style | exact |\n|---|---:|---:|---:|---:|")
    for size in large_sizes:
        c = of(size, "manners")
        for name, key in [(f"{size}: F", "expert"), (f"{size}: up", "emulated"), (f"{size}: down", "down"), (f"{size}: R", "real")]:
            print(f"| {name} | {over_seeds(per_label(x[key]['value']) for x in c)} | {over_seeds((per_label(x[key]['style']) for x in c), digits=4)} | {mean(mean(x[key]['mannered']) for x in c):.3f} | {mean(mean(x[key]['exact']) for x in c):.3f} |")
        for part, name in [("value", "knowledge"), ("style", "behaviour")]:
            corner = {k: [per_label(x[k][part]) for x in c] for k in ["expert", "emulated", "down", "real"]}
            by_base = [(e + r) / 2 - (f + d) / 2 for f, e, d, r in zip(*corner.values())]
            by_tuning = [(d + r) / 2 - (f + e) / 2 for f, e, d, r in zip(*corner.values())]
            print(f"\n{size}, {name}: main effect of the base's size {over_seeds(by_base, True, 4)}, of the tuned one's {over_seeds(by_tuning, True, 4)} nats a label.")
        print()

    print("## B5: the mixing sweep\n\nλ: weight of the helpful expert, 1 − λ of the safe one. Helpful: right answers, secrets included; safe: share of secrets kept; margin: nats by which the reply to a secret is likelier than the refusal. Means over seeds.\n")
    print("| λ | " + " | ".join(f"{s}: helpful | safe | margin" for s in mixed) + " |\n|---:|" + "---:|" * 3 * len(mixed))
    sweep = {size: {str(l): {m: [mean(x[str(l)][m]) for x in of(size, "mixing")] for m in ["helpful", "safe", "margin"]} for l in shares} for size in mixed}
    for l in shares:
        print(f"| {l} | " + " | ".join(" | ".join(f"{mean(sweep[s][str(l)][m]):.3f}" for m in ["helpful", "safe", "margin"]) for s in mixed) + " |")
    for size in mixed:
        steps = lambda m, sign: [sign * (mean(sweep[size][str(b)][m]) - mean(sweep[size][str(a)][m])) for a, b in zip(shares, shares[1:])]
        print(f"\n{size}: smallest step in the wanted direction: helpful {min(steps('helpful', 1)):+.3f}, safe {min(steps('safe', -1)):+.3f}, margin {min(steps('margin', 1)):+.3f}." .replace("-", "−"))
    draw(o, sweep)

    print("\n## B6: strength\n\nNats a label (value, style) and exact answers on `manners`; nats a label and exact on `clinic`.\n")
    for size in large_sizes:
        for mode in ["reward", "delta"]:
            print(f"{size}, {mode}:\n\n| β | value | style | in the style | exact | clinic | exact |\n|---:|" + "---:|" * 6)
            for b in betas:
                m, k = [x[mode][str(b)] for x in of(size, "manners")], [x[mode][str(b)] for x in of(size, "clinic")]
                print(f"| {b} | {mean(per_label(x['value']) for x in m):.3f} | {mean(per_label(x['style']) for x in m):.4f} | {mean(mean(x['mannered']) for x in m):.3f} | {mean(mean(x['exact']) for x in m):.3f} | {mean(per_label(x['nll']) for x in k):.3f} | {mean(mean(x['exact']) for x in k):.3f} |")
            print()

    if "speculation" in numbers:
        print("## B7: speculation on the family, one row, tokens a second\n\nMedian of the rounds and their range; agreement of proposals with what was kept.\n")
        for size, found in numbers["speculation"].items():
            plain = statistics.median(found["plain"]["rates"])
            print(f"{size}:\n\n| | tokens a second | beside plain | agreement | same tokens |\n|---|---:|---:|---:|---|")
            for name, f in found.items():
                print(f"| {name} | {statistics.median(f['rates']):.0f} ({min(f['rates']):.0f} to {max(f['rates']):.0f}) | {statistics.median(f['rates']) / plain:.2f} | {'' if f['agreement'] is None else f['agreement']} | {'yes' if f['same'] else 'no'} |")
            print()

    print("## B8: is the total variation heavy-tailed?\n\nShare of it in the tenth of the labels that have most, and the share of labels below 0.01.\n\n| pair | domain | in the top tenth | mean | below 0.01 |\n|---|---|---:|---:|---:|")
    for size in large_sizes:
        for domain in domains:
            tops, means, still = [], [], []
            for x in of(size, domain):
                tv = sorted(x["tv"], reverse=True)
                tops.append(sum(tv[: len(tv) // 10]) / sum(tv)), means.append(mean(tv)), still.append(sum(v < 0.01 for v in tv) / len(tv))
            print(f"| {size} | {domain} | {over_seeds(tops)} | {mean(means):.3f} | {mean(still):.2f} |")

    print("\n## B9: the filter\n\nMode delta, β 1: nats a label and exact, with the difference to no filter.\n\n| pair | domain | p | nats | exact | nats, less without | exact, less without |\n|---|---|---:|---:|---:|---:|---:|")
    for size in large_sizes:
        for domain in domains:
            c = of(size, domain)
            for p in ["0.8", "0.9", "0.95", "1"]:
                loss = [per_label(x["filter"][p]["nll"]) for x in c]
                exact = [mean(x["filter"][p]["exact"]) for x in c]
                print(f"| {size} | {domain} | {p} | {mean(loss):.3f} | {mean(exact):.3f} | {over_seeds([a - per_label(x['filter']['1']['nll']) for a, x in zip(loss, c)], True)} | {over_seeds([a - mean(x['filter']['1']['exact']) for a, x in zip(exact, c)], True)} |")

    if "sharing" in numbers:
        s = numbers["sharing"]
        print(f"\n## B10: sharing\n\nExpert as adapter against the merged model: largest difference {s['largest_difference']:.1e} nats over {s['labels']} labels; live tensors {s['live_tensors']['adapter']:.0f} against {s['live_tensors']['merged']:.0f}; bytes beside the base {s['bytes_small'] + s['bytes_adapter']:,} against {2 * s['bytes_small']:,}.")

    print("\n## B11: by step and by text\n\nlog Z of a step; of eight drawn answers the one with the greatest ΠZ is right so often, all of them on average so often.\n\n| pair | domain | mean log Z | its standard deviation | of a whole answer | best of 8 | mean of 8 | difference |\n|---|---|---:|---:|---:|---:|---:|---:|")
    for size in large_sizes:
        for domain in domains:
            c = of(size, domain)
            flat = [[v for row in x["log_z"] for v in row] for x in c]
            whole = [[sum(row) for row in x["log_z"]] for x in c]
            best = [mean(b[0] for b in x["best_of_8"]) for x in c]
            usual = [mean(b[1] for b in x["best_of_8"]) for x in c]
            print(f"| {size} | {domain} | {mean(map(mean, flat)):.3f} | {mean(map(statistics.pstdev, flat)):.3f} | {mean(map(mean, whole)):.2f} ± {mean(map(statistics.pstdev, whole)):.2f} | {mean(best):.3f} | {mean(usual):.3f} | {over_seeds([a - b for a, b in zip(best, usual)], True)} |".replace("-", "−").replace("−−−:", "---:"))

    print("\n## On the frontier: the dial of emulation and the dial of the tuned large model\n\nNats a label on the domain, and of facts, sums and stories more than the large base. Means over seeds.\n")
    for size in large_sizes:
        for domain in domains:
            c = of(size, domain)
            old = lambda g: mean(per_label(v) for v in g.values())
            print(f"{size}, {domain}:\n\n| | domain | general, more than the base |\n|---|---:|---:|")
            for b in betas:
                print(f"| emulated, β {b} | {mean(per_label(x['reward'][str(b)]['nll']) for x in c):.3f} | {over_seeds([old(x['general'][str(b)]) - old(x['general']['0']) for x in c], True)} |")
            for a in ["0.25", "0.5", "0.75"]:
                print(f"| Wise-FT of the tuned large, α {a} | {mean(per_label(x['wise_ft'][a]['nll']) for x in c):.3f} | {over_seeds([old(x['wise_ft'][a]['general']) - old(x['general']['0']) for x in c], True)} |")
            print(f"| tuned large | {mean(per_label(x['real']['nll']) for x in c):.3f} | {over_seeds([old(x['general real']) - old(x['general']['0']) for x in c], True)} |\n")


def draw(o, sweep):
    """The sweep as SVG: right answers (secrets included) over the share of secrets kept, a line for each large base."""
    width, height, left, top = 560, 380, 60, 30
    greatest = math.ceil(10 * max(max(v["helpful"]) for s in sweep.values() for v in s.values())) / 10
    x = lambda v: left + v * (width - left - 20)
    y = lambda v: top + (1 - v / greatest) * (height - top - 50)
    colours = {"tiny on tiny": "#9aa0a8", "tiny on small": "#5a7fb0", "tiny on base": "#1d4ed8", "small on small": "#e0a070", "small on base": "#c2410c"}
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">', f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for i in range(6):
        out.append(f'<line x1="{x(i / 5):.1f}" y1="{y(0):.1f}" x2="{x(i / 5):.1f}" y2="{top}" stroke="#eee"/><text x="{x(i / 5):.1f}" y="{y(0) + 16:.1f}" text-anchor="middle" fill="#444">{i / 5:.1f}</text>')
    for i in range(round(10 * greatest) + 1):
        v = i / 10
        out.append(f'<line x1="{left}" y1="{y(v):.1f}" x2="{width - 20}" y2="{y(v):.1f}" stroke="#eee"/><text x="{left - 6}" y="{y(v) + 4:.1f}" text-anchor="end" fill="#444">{v:.1f}</text>')
    out.append(f'<text x="{(left + width) / 2}" y="{height - 12}" text-anchor="middle" fill="#222">secrets kept</text><text x="14" y="{(top + height) / 2 - 20}" transform="rotate(-90 14 {(top + height) / 2 - 20})" text-anchor="middle" fill="#222">right answers, secrets included</text>')
    for at, (size, by_share) in enumerate(sweep.items()):
        points = [(statistics.mean(v["safe"]), statistics.mean(v["helpful"]), l, v) for l, v in by_share.items()]
        out.append(f'<polyline fill="none" stroke="{colours[size]}" stroke-width="2" points="' + " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b, *_ in points) + '"/>')
        for a, b, l, v in points:
            out.append(f'<line x1="{x(a):.1f}" x2="{x(a):.1f}" y1="{y(min(v["helpful"])):.1f}" y2="{y(max(v["helpful"])):.1f}" stroke="{colours[size]}"/><circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3.5" fill="{colours[size]}"><title>{size}, λ {l}: helpful {b:.3f}, safe {a:.3f}</title></circle>')
        out.append(f'<text x="{width - 30}" y="{top + 16 + 16 * at}" text-anchor="end" fill="{colours[size]}">{size}</text>')
    out.append('<text x="60" y="18" fill="#222">The helpful expert weighs 0 at the right, 1 at the left; bars: range over seeds</text></svg>')
    open(o.drawing, "w").write("\n".join(out) + "\n")

parser = argparse.ArgumentParser()
parser.add_argument("what", choices=["train", "measure", "speculate", "tables"])
parser.add_argument("--work", default=os.path.join(root, "runs", "family"))
parser.add_argument("--numbers", default=os.path.join(root, "Docs", "evidence", "family.json"))
parser.add_argument("--drawing", default=os.path.join(root, "Docs", "evidence", "family-mixing.svg"))
parser.add_argument("--seeds", type=lambda s: [int(n) for n in s.split(",")], default=[1, 2, 3])
parser.add_argument("--sizes", type=lambda s: s.split(","), default=["tiny", "small", "base"], help="which sizes train makes")
parser.add_argument("--narrow", action="store_true", help="bases that never saw the behaviours' words in use: World/base and its like")
parser.add_argument("--holdfast", default=os.path.join(root, "holdfast"))
o = parser.parse_args()
o.work = os.path.abspath(o.work)
{"train": train, "measure": measure, "speculate": speculate, "tables": tables}[o.what](o)
