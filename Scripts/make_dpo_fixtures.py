#!/usr/bin/env python3
"""Builds Tests/Fixtures/dpo: losses and gradients of preference pairs as TRL's DPOTrainer computes them.

    python3 Scripts/make_dpo_fixtures.py [FOLDER]      the default is Tests/Fixtures

The policy is Tests/Fixtures/models/llama. Pairs and the reference's log-probabilities come from a seed, so that margins are not 0.
`sigmoid` and `ipo` are TRL's loss types of those names; its `aot` of one pair at a time is the conservative loss with label smoothing.
Needs torch, transformers, trl, datasets and safetensors. Written with trl 1.16.0, transformers 5.17.0 and torch 2.13.0.
"""
import json
import pathlib
import random
import sys
import tempfile

import torch
from datasets import Dataset
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "Tests" / "Fixtures"
draw = random.Random(5)
pairs = []
for _ in range(5):
    prompt = [draw.randrange(3, 97) for _ in range(draw.randint(1, 6))]
    chosen, rejected = ([draw.randrange(3, 97) for _ in range(draw.randint(1, 7))] for _ in range(2))
    pairs.append({"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected,
                  "ref_chosen_logps": -4.6 * len(chosen) + draw.uniform(-2, 2), "ref_rejected_logps": -4.6 * len(rejected) + draw.uniform(-2, 2)})


def tokenizer():
    """DPOTrainer wants one; the batches below are made of ids."""
    vocabulary = {f"t{i}": i for i in range(97)}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="t0"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="t0", bos_token="t1", eos_token="t2", pad_token="t0")


def measure(name, beta, smoothing):
    model = AutoModelForCausalLM.from_pretrained(root / "models" / "llama", dtype=torch.float64)
    words = [{"prompt": "t3", "chosen": " t4", "rejected": " t5"}]
    with tempfile.TemporaryDirectory() as folder:
        trainer = DPOTrainer(
            model=model, ref_model=None, processing_class=tokenizer(), train_dataset=Dataset.from_list(words),
            args=DPOConfig(output_dir=folder, loss_type=name, beta=beta, label_smoothing=smoothing, precompute_ref_log_probs=True,
                           report_to=[], use_cpu=True, bf16=False, fp16=False, gradient_checkpointing=False))
        trainer.precompute_ref_logps = True
        model = trainer.model
        model.train()
        total = 0.0
        groups = [[pair] for pair in pairs] if name == "aot" else [pairs]
        for group in groups:
            batch = trainer.data_collator(group)
            loss = trainer._compute_loss(model, batch, False) * len(group) / len(pairs)
            loss.backward()
            total += loss.item()
    gradients = {n: p.grad.to(torch.float64).contiguous() for n, p in model.named_parameters()}
    return total, gradients


results, tensors = [], {}
for number, (name, beta, smoothing) in enumerate([("sigmoid", 0.1, 0.0), ("sigmoid", 0.7, 0.0), ("aot", 0.3, 0.2), ("ipo", 0.2, 0.0)]):
    loss, gradients = measure(name, beta, smoothing)
    ours = "sigmoid" if name == "aot" else name
    results.append({"loss": ours, "beta": beta, "label_smoothing": smoothing, "mean": loss})
    for key in ["model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight", "model.layers.1.mlp.down_proj.weight", "lm_head.weight"]:
        tensors[f"{number}.{key}"] = gradients[key].float()
folder = root / "dpo"
folder.mkdir(exist_ok=True)
(folder / "cases.json").write_text(json.dumps({"pairs": pairs, "cases": results}, indent=1) + "\n")
save_file(tensors, folder / "gradients.safetensors")
print(json.dumps(results, indent=1))
