#!/usr/bin/env python3
"""Writes what the study of effects found into the cards of Docs/methods and their index.

usage: ./holdfast frontier Recipes/effects.yaml --report-only && Scripts/effect_verdicts.py [runs/effects/report.json] [--check]

Between `<!-- effects -->` and `<!-- end of effects -->` of a card stands what its method lost of old text where it had learned the new one as well as full
fine-tuning has. --check changes nothing and fails where a card says something else."""
import json, os, re, sys

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
paths = [a for a in sys.argv[1:] if not a.startswith("--")]
report = json.load(open(paths[0] if paths else os.path.join(root, "runs", "effects", "report.json")))
measure = report["measures"][0]
start, end = "<!-- effects -->", "<!-- end of effects -->"
# Where a method's name is not its card's.
cards = {"wise_ft": "merging", "half_reset": "merging", "freezing: attention trains": "freezing", "freezing: mlp trains": "freezing", "lora on mlp": "lora",
         "ewc shuffled": "ewc", "hierarchical shuffled": "hierarchical", "kl on replay": "kl", "half, replay": "half", "replay": "full", "full, higher rate": "full", "full, lower rate": "full"}


def number(value, signed=False):
    return (f"{value:+.3f}" if signed else f"{value:.3f}").replace("-", "−")


def target(method, share):
    return next(t for t in method["targets"] if abs(t["share"] - share) < 1e-9)


def lost(reading):
    """Nats a label that the old text got worse by, with half of its 95 % interval."""
    old = reading["old"]
    if not old:
        return None
    return measure["base_old"] - old["mean"], old["half"]


def words(reading):
    value = lost(reading)
    if value is None:
        return f"not reached ({reading['reached']} of {reading['seeds']} seeds)" if reading["reached"] else "not reached"
    return number(value[0]) + (f" ± {value[1]:.3f}" if value[1] is not None else "")


def verdict(difference):
    """In words, of a difference in what is kept; an interval without 0 is called measurable, and Holm's correction is given beside it."""
    if not difference:
        return None
    if difference["low"] is None:
        return "one seed, which says nothing of the spread"
    size = f"{number(difference['mean'], True)} [{number(difference['low'], True)}, {number(difference['high'], True)}]"
    holm = f"by Holm over all methods p {difference['p_holm']:.2g}"
    if difference["low"] > 0:
        return f"**keeps measurably more** than full fine-tuning, {size} ({holm})"
    if difference["high"] < 0:
        return f"**keeps measurably less** than full fine-tuning, {size} ({holm})"
    return f"**no difference** from full fine-tuning beyond noise, {size} ({holm})"


methods = {m["name"]: m for m in measure["methods"]}
shares = sorted(t["share"] for t in next(iter(methods.values()))["targets"])
of_card = {}
for name in methods:
    of_card.setdefault(cards.get(name, name), []).append(name)

found = {}
for card, names in of_card.items():
    lines = []
    for name in names:
        method = methods[name]
        for share in reversed(shares):
            reading = target(method, share)
            if lost(reading) is None:
                full = lost(target(methods["full"], share))
                lines.append(f"- `{name}` at {share * 100:.0f} %: **{words(reading)}** in 120 steps at its rate" + (f" (full fine-tuning loses {number(full[0])} there)." if full else "."))
                continue
            text = f"- `{name}`, {reading['trial']}, at {share * 100:.0f} %: loses {words(reading)} nats a label"
            judged = verdict(reading["difference"])
            lines.append(text + (f"; {judged}." if judged else "."))
    seeds = max(t["seeds"] for n in names for t in methods[n]["targets"])
    found[os.path.join(root, "Docs", "methods", card + ".md")] = (
        f"On the little world's clinic, where as much was learned as the share of full fine-tuning's learning says ({seeds} seeds, 95 % intervals, differences paired by seed; what is kept is facts, sums and stories, "
        "and full fine-tuning runs at 3e-4, its middle rate):\n\n" + "\n".join(lines) + "\n\nBeside full fine-tuning at other rates and all other methods: the [table](README.md#what-each-keeps-at-the-same-learning).")

order = sorted(methods.values(), key=lambda m: [(lost(target(m, s)) or (9e9,))[0] for s in reversed(shares)])
table = ["| method | rate | " + " | ".join(f"lost at {s * 100:.0f} %" for s in shares) + " | kept beyond full's, at " + " and ".join(f"{s * 100:.0f} %" for s in shares) + " |", "|---|---|" + "---:|" * len(shares) + "---|"]
for method in order:
    readings = [target(method, s) for s in shares]
    trial = next((r["trial"] for r in reversed(readings) if r["trial"]), None) or "–"

    def short(difference):
        if not difference or difference["low"] is None:
            return "–"
        mark = "more" if difference["low"] > 0 else "less" if difference["high"] < 0 else "within noise"
        holm = ", Holm too" if mark != "within noise" and difference["p_holm"] < 0.05 else ""
        return f"{number(difference['mean'], True)} [{number(difference['low'], True)}, {number(difference['high'], True)}] {mark}{holm}"
    table.append(f"| {method['name']} | {trial.replace('rate ', '')} | " + " | ".join(words(r) for r in readings) + " | " + "; ".join(short(r["difference"]) for r in readings) + " |")
found[os.path.join(root, "Docs", "methods", "README.md")] = "\n".join(table)

stale = []
for path, text in found.items():
    if not os.path.exists(path):
        raise SystemExit(f"{path}: no such card")
    old = open(path).read()
    block = f"{start}\n{text}\n{end}"
    if start in old:
        new = re.sub(re.escape(start) + r".*?" + re.escape(end), lambda _: block, old, flags=re.S)
    else:
        at = old.find("\nSource:")
        section = f"\n## Effect\n\n{block}\n"
        new = old + section if at < 0 else old[:at] + section + old[at:]
    if new != old:
        stale.append(os.path.basename(path))
        if "--check" not in sys.argv:
            open(path, "w").write(new)
print(("differ: " if "--check" in sys.argv else "written: ") + (", ".join(stale) or "none"))
sys.exit(1 if stale and "--check" in sys.argv else 0)
