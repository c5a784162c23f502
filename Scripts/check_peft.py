#!/usr/bin/env python3
"""Reads adapters that holdfast trained with PEFT, and compares what the two make of them.

    python3 Scripts/check_peft.py [HOLDFAST]      the default is ./holdfast

On a random Llama each kind of adapter trains for a few steps. PEFT then loads `final/`, and its logits are compared with
holdfast's log-probabilities (`score --adapter`), its merged weights with those of `blend --adapter`.
Needs torch, transformers and peft; writes to a temporary folder only.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent
ADAPTERS = {
    "lora": "{lora: {rank: 4, targets: [q_proj, up_proj]}}",
    "rslora": "{lora: {rank: 8, scaling: rank_stabilized, targets: all_linear}}",
    "dora": "{dora: {rank: 4, targets: attention}}",
    "adalora": "{adalora: {rank: 6, target_rank: 2, final: 3}}",
}


def run(command, *arguments):
    outcome = subprocess.run([command, *map(str, arguments)], capture_output=True, text=True)
    if outcome.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))}\n{outcome.stdout}{outcome.stderr}")
    return outcome.stdout


def main():
    holdfast = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "holdfast")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        run(holdfast, "world", "--output", scratch / "world", "--documents", 200, "--train", 200, "--held-out", 5)
        common = f"data: [{{path: {scratch}/world/clinic.train.jsonl}}]\nsequence_length: 64\nbatch: 4\nthreads: 1\n"
        (scratch / "base.yaml").write_text(
            common + f"model: {scratch}/world/small\ninitialize: random\nlearning_rate: 2e-3\nsteps: 10\noutput: {scratch}/base\n")
        run(holdfast, "tune", scratch / "base.yaml")
        base = scratch / "base" / "final"
        text = scratch / "text"
        text.write_text("Question: What helps against a cough?\nAnswer: Rest and tea, and see a doctor when it lasts.")
        for name, adapter in ADAPTERS.items():
            (scratch / f"{name}.yaml").write_text(
                common + f"model: {base}\nadapter: {adapter}\nlearning_rate: 1e-2\nsteps: 12\noutput: {scratch}/{name}\n")
            run(holdfast, "tune", scratch / f"{name}.yaml")
            final = scratch / name / "final"
            lines = [json.loads(l) for l in run(holdfast, "score", "--model", base, "--adapter", final, "--text", text, "--threads", 1).splitlines()]
            plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
            model = PeftModel.from_pretrained(plain, final).eval()
            ids = [line["id"] for line in lines]
            front = AutoTokenizer.from_pretrained(base)("a")["input_ids"]
            front = front[: len(front) - len(AutoTokenizer.from_pretrained(base)("a", add_special_tokens=False)["input_ids"])]
            with torch.no_grad():
                scores = torch.log_softmax(model(input_ids=torch.tensor([front + ids])).logits[0].double(), -1)
                with model.disable_adapter():
                    without = torch.log_softmax(model(input_ids=torch.tensor([front + ids])).logits[0].double(), -1)
            worst = acts = 0.0
            for i, line in enumerate(lines):
                if line["logprob"] is not None:
                    place = len(front) + i - 1
                    worst = max(worst, abs(float(scores[place, line["id"]]) - line["logprob"]))
                    acts = max(acts, abs(float(scores[place, line["id"]] - without[place, line["id"]])))
            run(holdfast, "blend", "--base", base, "--adapter", final, "--output", scratch / f"{name}-merged")
            ours = load_file(scratch / f"{name}-merged" / "model.safetensors")
            theirs = model.merge_and_unload().state_dict()
            apart = max(float((ours[n] - theirs[n]).abs().max()) for n in ours)
            fine = worst < 1e-4 and apart < 1e-5 and acts > 1e-3
            failures += not fine
            print(f"{'✓' if fine else '✗'} {name:8} {len(lines)} log-probabilities within {worst:.1e} (the adapter moves them by {acts:.3f}), "
                  f"merged weights within {apart:.1e}")
    raise SystemExit(2 if failures else 0)


if __name__ == "__main__":
    main()
