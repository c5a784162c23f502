#!/usr/bin/env python3
"""An optimizer step beside a peer's, in turn, on one machine: `holdfast bench step` and a program that takes
SHAPE DTYPE MODE BATCH SEQ [all|half] and prints one JSON line with step_s, tok_s and peak_gib.

usage: PYTHON Scripts/compare_step.py PEER.py [--rounds 3] [--mode eager] [--json FILE] CASE...
       a case is SHAPE:ROWSxLENGTH:DTYPE[:all|half][:none]      (`none`: no float32 masters on our side)
example: python Scripts/compare_step.py peer_hf_step.py tiny15m:8x256:bf16 tiny15m:8x256:bf16:half:none

PYTHON is the peer's. Each round runs ours, then the peer's, each in a process of its own; a ratio above 1 says that ours
is faster. The table has medians over the rounds, and the lowest and highest ratio of a round."""
import argparse, json, os, statistics, subprocess, sys

here = os.path.dirname(os.path.abspath(__file__))
arguments = argparse.ArgumentParser()
arguments.add_argument("peer")
arguments.add_argument("cases", nargs="+")
arguments.add_argument("--rounds", type=int, default=3)
arguments.add_argument("--mode", default="eager")
arguments.add_argument("--json")
arguments.add_argument("--holdfast", default=os.path.join(here, "..", "holdfast"))
arguments = arguments.parse_args()


def last_line(command):
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{run.stderr[-2000:]}")
    return json.loads(run.stdout.strip().splitlines()[-1])


rows = []
for case in arguments.cases:
    shape, size, dtype, *rest = case.split(":")
    batch, length = size.split("x")
    train = "half" if "half" in rest else "all"
    masters = "none" if "none" in rest else "f32"
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        ours.append(last_line([arguments.holdfast, "bench", "step", "--shape", shape, "--rows", batch, "--length", length, "--dtype", dtype,
                               "--train", train, "--masters", masters, "--json"]))
        theirs.append(last_line([sys.executable, arguments.peer, shape, dtype, arguments.mode, batch, length, train]))
    ratios = [t["step_s"] / o["step_s"] for o, t in zip(ours, theirs)]
    middle = lambda runs, key: statistics.median(run[key] for run in runs)
    row = dict(case=case, ours_s=middle(ours, "step_s"), peer_s=middle(theirs, "step_s"), ours_tok_s=middle(ours, "tok_s"),
               peer_tok_s=middle(theirs, "tok_s"), ratio=statistics.median(ratios), low=min(ratios), high=max(ratios),
               ours_gib=middle(ours, "peak_gib"), peer_gib=middle(theirs, "peak_gib"), rounds=arguments.rounds, mode=arguments.mode)
    rows.append(row)
    print(json.dumps(row), file=sys.stderr, flush=True)

print("| case | ours, s | peer, s | ours, tokens/s | peer, tokens/s | ratio (lowest to highest) | ours, GiB | peer, GiB |")
print("|---|---|---|---|---|---|---|---|")
for r in rows:
    print(f"| {r['case']} | {r['ours_s']:.3f} | {r['peer_s']:.3f} | {r['ours_tok_s']:.0f} | {r['peer_tok_s']:.0f} | "
          f"{r['ratio']:.2f} ({r['low']:.2f} to {r['high']:.2f}) | {r['ours_gib']:.2f} | {r['peer_gib']:.2f} |")
if arguments.json:
    with open(arguments.json, "w") as file:
        json.dump(rows, file, indent=1)
