#!/usr/bin/env python3
"""Builds Tests/Fixtures/adapters: adapters that PEFT wrote, with PEFT's numbers for them.

    python3 Scripts/make_adapter_fixtures.py [FOLDER]      the default is Tests/Fixtures/adapters

The base is the random Qwen2 of Tests/Fixtures/models. Adapter tensors come from the same counter-based generator, none of
them zero. Each folder holds adapter_config.json and adapter_model.safetensors as PEFT's save_pretrained writes them, and
reference.safetensors (float32, one thread):

    input_ids, labels   [B, T]      -100 where there is no label
    logits              [T, V]      of the first row
    loss                [1]         mean over the labels
    grad.NAME                       gradient of the loss for each tensor that PEFT trains; names as in the file
    merged.NAME                     weights after merge_and_unload

`allocation.safetensors` is AdaLoRA's bookkeeping on a model of two layers: weights and gradients that are given to PEFT's
RankAllocator step by step, what it leaves of Λ, and the orthogonality penalty with its gradient.
Needs torch, transformers and peft.
"""
import json
import math
import pathlib
import shutil
import sys

import numpy
import peft
import torch
import transformers
from peft import AdaLoraConfig, LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

import parity_reference
from make_model_fixtures import noise, words

ROOT = pathlib.Path(__file__).resolve().parent.parent
BASE = ROOT / "Tests" / "Fixtures" / "models" / "qwen2"

CASES = {
    "lora": LoraConfig(r=4, lora_alpha=6, target_modules=["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]),
    # Another rank and another alpha for some layers.
    "rslora": LoraConfig(r=4, lora_alpha=6, use_rslora=True, target_modules=["q_proj", "gate_proj"], rank_pattern={"gate_proj": 2},
                         alpha_pattern={"q_proj": 3}),
    # k_proj and q_proj have biases.
    "dora": LoraConfig(r=3, lora_alpha=5, use_dora=True, target_modules=["q_proj", "k_proj", "down_proj"]),
    "adalora": AdaLoraConfig(init_r=5, target_r=2, lora_alpha=7, total_step=20, target_modules=["v_proj", "gate_proj"]),
    # The biases train beside an adapter that adds nothing yet, which is how PEFT does BitFit. Only numbers are kept.
    "bitfit": LoraConfig(r=1, bias="all", target_modules=["q_proj"]),
}


def adapter_tensors(model):
    return {n: p for n, p in model.named_parameters() if p.requires_grad}


def file_name(name):
    """A parameter's name in the file: without the adapter's, and DoRA's without its ending."""
    name = name.replace(".default", "")
    return name.removesuffix(".weight") if name.endswith("lora_magnitude_vector.weight") else name


def fill(model, label):
    with torch.no_grad():
        for name, p in adapter_tensors(model).items():
            drawn = noise(f"{label} {file_name(name)}", tuple(p.shape))
            if "magnitude" in name:
                p.mul_(1 + 0.2 * drawn)
            elif "lora_" in name:
                p.copy_(drawn * (0.4 / math.sqrt(p.shape[0] if "lora_A" in name else p.shape[1])))


def batch(label, rows, length, vocabulary):
    ids = torch.from_numpy((words(label, rows * length) % numpy.uint64(vocabulary)).astype(numpy.int64)).reshape(rows, length)
    labels = ids.clone()
    labels[0, :5] = -100
    return ids, labels


def save(tensors, path):
    save_file({k: v.contiguous() for k, v in tensors.items()}, path,
              metadata={"peft": peft.__version__, "torch": torch.__version__, "transformers": transformers.__version__})


def build(name, config, root):
    folder = root / name
    shutil.rmtree(folder, ignore_errors=True)
    config.task_type = "CAUSAL_LM"
    config.init_lora_weights = True
    model = get_peft_model(parity_reference.load(BASE), config)
    if name != "bitfit":
        fill(model, name)
    pattern = {}
    if name == "adalora":  # as after training: some ranks are gone, and the file is the smaller for it
        for n, p in adapter_tensors(model).items():
            if "lora_E" in n:
                kept = [(i * 7 + len(pattern)) % 5 < 3 for i in range(p.shape[0])]
                pattern[n.removeprefix("base_model.model.")] = kept
                with torch.no_grad():
                    p[~torch.tensor(kept)] = 0
        model.peft_config["default"].rank_pattern = pattern
    model.eval()
    ids, labels = batch(f"{name} ids", 2, 14, model.config.vocab_size)
    output = model(input_ids=ids, labels=labels, use_cache=False)
    # AdaLoRA's loss has its penalty in it; the numbers here are the model's own.
    logits = output.logits[:, :-1].reshape(-1, output.logits.shape[-1])
    loss = torch.nn.functional.cross_entropy(logits, labels[:, 1:].reshape(-1), ignore_index=-100)
    model.zero_grad()
    loss.backward()
    result = {"input_ids": ids, "labels": labels, "logits": output.logits[0].detach(), "loss": loss.detach().reshape(1)}
    for n, p in adapter_tensors(model).items():
        if name == "bitfit" and not n.endswith(".bias"):
            continue
        assert float(p.grad.abs().max()) > 0, n
        kept = pattern.get(n.removeprefix("base_model.model.").replace("lora_A", "lora_E").replace("lora_B", "lora_E"), slice(None))
        gradient = p.grad[:, kept] if pattern and "lora_B" in n else p.grad[kept]
        result["grad." + file_name(n).removeprefix("base_model.model.").replace(".base_layer", "")] = gradient.clone()
    if name == "bitfit":
        folder.mkdir()
        save(result, folder / "reference.safetensors")
        return
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    # The path of the base is of the machine that wrote it.
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": "qwen2"}, indent=2, sort_keys=True) + "\n")
    merged = model.merge_and_unload()
    kinds = {"lora": ["q_proj", "down_proj"], "rslora": ["q_proj", "gate_proj"], "dora": ["k_proj", "down_proj"],
             "adalora": ["v_proj", "gate_proj"]}[name]
    for n, p in merged.named_parameters():
        if "layers.1." in n and n.endswith("weight") and any(k in n for k in kinds):
            result["merged." + n] = p.detach().clone()
    save(result, folder / "reference.safetensors")
    print(f"{name:8} loss {float(loss.detach()):.6f}, {sum(f.stat().st_size for f in folder.iterdir()) // 1024} KiB")


def allocation(root, steps=13):
    """Gradients and weights are made up; what PEFT's RankAllocator leaves of each Λ is the reference."""
    config = LlamaConfig(vocab_size=5, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2)
    settings = AdaLoraConfig(init_r=4, target_r=2, tinit=2, tfinal=3, deltaT=2, beta1=0.8, beta2=0.7, orth_reg_weight=0.5, total_step=steps,
                             target_modules=["v_proj", "o_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(LlamaForCausalLM(config), settings)
    tensors = {n: p for n, p in adapter_tensors(model).items()}
    short = lambda n: file_name(n).removeprefix("base_model.model.")
    result = {}
    for k in range(steps):
        for n, p in tensors.items():
            with torch.no_grad():
                p.copy_(noise(f"weight {k} {short(n)}", tuple(p.shape)))
            p.grad = noise(f"gradient {k} {short(n)}", tuple(p.shape))
            result[f"weight.{k}.{short(n)}"] = p.detach().clone()
            result[f"gradient.{k}.{short(n)}"] = p.grad.clone()
        model.base_model.update_and_allocate(k)
        for n, p in tensors.items():
            if "lora_E" in n:
                result[f"left.{k}.{short(n)}"] = p.detach().clone()
    # The penalty, as AdaLoraModel.forward adds it to the loss.
    for p in tensors.values():
        p.grad = None
    plain = torch.tensor([[1, 2, 3]])
    for n, p in tensors.items():
        if "lora_E" in n:
            with torch.no_grad():
                p.zero_()  # then the loss itself sends nothing to A and B
    output = model(input_ids=plain, labels=plain)
    output.loss.backward()
    with torch.no_grad():
        own = torch.nn.functional.cross_entropy(model(input_ids=plain).logits[0, :-1], plain[0, 1:])
    result["penalty"] = (output.loss.detach() - own).reshape(1)
    for n, p in tensors.items():
        if "lora_E" not in n:
            result[f"penalty.{short(n)}"] = p.grad.clone()
    save(result, root / "allocation.safetensors")
    print(f"allocation: penalty {float(result['penalty']):.6f}, left "
          + ", ".join(str(sum(int((result[f'left.{k}.{short(n)}'] != 0).sum()) for n in tensors if 'lora_E' in n)) for k in range(steps)))


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "Tests" / "Fixtures" / "adapters")
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    root.mkdir(parents=True, exist_ok=True)
    for name, config in CASES.items():
        build(name, config, root)
    allocation(root)


if __name__ == "__main__":
    main()
