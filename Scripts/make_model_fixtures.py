#!/usr/bin/env python3
"""Builds Tests/Fixtures/models and Tests/Fixtures/adamw: tiny random models with reference numbers from transformers.

    python3 Scripts/make_model_fixtures.py [FOLDER]      the default is Tests/Fixtures

Weights and ids come from a counter-based generator of our own (SplitMix64 over a name and a position), so the models are
the same with any version of any library. Every parameter matters: norm weights are not 1 and biases are not 0.
Each model folder holds config.json in the field names that published checkpoints mostly carry, config.v5.json as
transformers 5 writes it, the weights, and reference.safetensors (see parity_reference.py).
"""
import json
import math
import pathlib
import shutil
import sys
import tempfile
import zlib

import numpy
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

import parity_reference

COMMON = {"torch_dtype": "float32", "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2, "use_cache": True}
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **COMMON, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
         "rope_scaling": None, "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": False}

CASES = {
    # Multi-head attention, a head of its own.
    "llama": {"config": LLAMA | {
        "vocab_size": 97, "hidden_size": 32, "intermediate_size": 72, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 64}},
    # Six query heads on two, and the head tied to the embedding.
    "llama-tied-grouped": {"config": LLAMA | {
        "vocab_size": 109, "hidden_size": 48, "intermediate_size": 88, "num_hidden_layers": 2, "rope_theta": 250000.0, "rms_norm_eps": 1e-6,
        "num_attention_heads": 6, "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": True}},
    # Frequencies in all three bands of the llama3 rule, a row longer than the original context, biases everywhere.
    "llama3-rope-biases": {"rows": 1, "length": 44, "config": LLAMA | {
        "vocab_size": 83, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 16,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256, "attention_bias": True, "mlp_bias": True,
        "rope_scaling": {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 3.0,
                         "original_max_position_embeddings": 32}}},
    # A token sees itself and the four before it.
    "mistral-window": {"length": 20, "config": COMMON | {
        "architectures": ["MistralForCausalLM"], "model_type": "mistral", "vocab_size": 89, "hidden_size": 32, "intermediate_size": 64,
        "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "sliding_window": 5, "tie_word_embeddings": False}},
    # Biases on the queries, keys and values only; a window is named and switched off.
    "qwen2": {"config": COMMON | {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 101, "hidden_size": 40, "intermediate_size": 72,
        "num_hidden_layers": 2, "num_attention_heads": 5, "num_key_value_heads": 1, "max_position_embeddings": 64,
        "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "sliding_window": 4, "max_window_layers": 1, "use_sliding_window": False,
        "tie_word_embeddings": False}},
    # Norms on each query and key head; heads times head_dim (64) is not the hidden size (40).
    "qwen3": {"config": COMMON | {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 103, "hidden_size": 40, "intermediate_size": 72,
        "num_hidden_layers": 2, "head_dim": 16, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
        "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "rope_scaling": None, "sliding_window": None, "use_sliding_window": False,
        "attention_bias": False, "tie_word_embeddings": True}},
    # Stored as bfloat16 in shards; the reference is float32 arithmetic on the rounded weights.
    "llama-bfloat16-shards": {"shard_bytes": 20000, "config": LLAMA | {
        "vocab_size": 97, "hidden_size": 32, "intermediate_size": 72, "num_hidden_layers": 2, "torch_dtype": "bfloat16",
        "num_attention_heads": 4, "num_key_value_heads": 1, "max_position_embeddings": 64}},
}


# ---- numbers from names

def words(label, count):
    """`count` 64-bit words that depend on the label only (SplitMix64 from a hash of it)."""
    with numpy.errstate(over="ignore"):
        start = numpy.uint64(zlib.crc32(label.encode())) << numpy.uint64(32)
        z = start + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        return z ^ (z >> numpy.uint64(31))


def noise(label, shape):
    """Uniform in ±√3: mean 0, variance 1."""
    unit = (words(label, math.prod(shape)) >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-53
    return torch.from_numpy(((2 * unit - 1) * math.sqrt(3)).astype(numpy.float32)).reshape(shape)


def fill(model, label):
    tied = model.config.tie_word_embeddings
    with torch.no_grad():
        for name, p in model.named_parameters():
            drawn = noise(f"{label} {name}", tuple(p.shape))
            if name.endswith("bias"):
                drawn = drawn * 0.25
            elif p.dim() == 1:
                drawn = 1 + drawn * 0.25
            elif "embed" in name:
                drawn = drawn * (0.25 if tied else 0.7)
            else:
                drawn = drawn * (1.2 / math.sqrt(p.shape[1]))
            p.copy_(drawn)


# ---- models

def model_from(config, folder):
    (folder / "config.json").write_text(json.dumps(config))
    return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), attn_implementation="eager", dtype=torch.float32)


def write_weights(folder, tensors, limit):
    if not limit:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    shards, size = [{}], 0
    for name, tensor in tensors.items():
        if shards[-1] and size + tensor.nbytes > limit:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.nbytes
    place = {}
    for number, shard in enumerate(shards, 1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        save_file(shard, folder / file, metadata={"format": "pt"})
        place.update(dict.fromkeys(shard, file))
    index = {"metadata": {"total_size": sum(t.nbytes for t in tensors.values())}, "weight_map": place}
    write_json(folder / "model.safetensors.index.json", index)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def build(name, case, root):
    folder = root / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stored = getattr(torch, case["config"]["torch_dtype"])
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        model = model_from(case["config"], scratch)
        fill(model, name)
        model.config.save_pretrained(scratch)
        newer = json.loads((scratch / "config.json").read_text())
    tensors = {n: p.detach().to(stored).contiguous() for n, p in model.named_parameters()}
    write_weights(folder, tensors, case.get("shard_bytes"))
    write_json(folder / "config.json", case["config"])
    write_json(folder / "config.v5.json", newer | {"dtype": case["config"]["torch_dtype"]})

    model = parity_reference.load(folder)
    size = case["config"]["vocab_size"]
    names = parity_reference.checkpoint_names(folder)
    for attempt in range(20):  # until no greedy choice is a close call, so that a correct engine must agree
        draw = lambda label, shape: torch.from_numpy(
            (words(f"{name} {attempt} {label}", math.prod(shape)) % numpy.uint64(size)).astype(numpy.int64)).reshape(shape)
        reference, notes = parity_reference.reference(model, names, draw, case.get("rows", 2), case.get("length", 18))
        if float(notes["closest_greedy_choice"]) > 5e-3:
            break
    else:
        raise SystemExit(f"{name}: a close call in every attempt")
    dead = [k for k, v in reference.items() if k.startswith("grad.") and float(v.abs().max()) == 0]
    assert not dead, dead
    # Read back with the newer form of the configuration: the same model to the bit.
    with tempfile.TemporaryDirectory() as scratch:
        for file in folder.glob("model*"):
            shutil.copy(file, scratch)
        shutil.copy(folder / "config.v5.json", pathlib.Path(scratch) / "config.json")
        with torch.no_grad():
            assert torch.equal(parity_reference.load(scratch)(input_ids=reference["input_ids"], use_cache=False).logits, reference["logits"]), name
    save_file(reference, folder / "reference.safetensors", metadata={"format": "pt", **notes})
    print(f"{name:22} {sum(t.numel() for t in tensors.values()):6} parameters, loss {float(reference['loss']):.6f}, "
          f"closest choice {notes['closest_greedy_choice']}, {sum(f.stat().st_size for f in folder.iterdir()) // 1024} KiB")


# ---- AdamW

def optimizer_steps(root, steps=8):
    """torch.optim.AdamW on a few tensors with given gradients: some steps are clipped, the rate changes, one tensor decays not.

    start.NAME; per step K from 0: gradient.K.NAME (before clipping), weight.K.NAME, exp_avg.K.NAME, exp_avg_sq.K.NAME (after it);
    norm [steps] (total, before clipping) and learning_rate [steps]; final64.NAME is the same run in float64.
    The rest of the settings is in the metadata.
    """
    settings = {"beta1": 0.9, "beta2": 0.98, "eps": 1e-8, "weight_decay": 0.1, "max_norm": 1.0}
    shapes = {"matrix": (12, 7), "wide": (3, 40), "vector": (17,), "undecayed": (9,)}
    rates = torch.tensor([0.01 * min(1.0, (k + 1) / 3) * (0.9**k) for k in range(steps)], dtype=torch.float64)
    result = {"learning_rate": rates}
    for kind in (torch.float32, torch.float64):
        weights = {n: torch.nn.Parameter(noise(f"adamw start {n}", s).to(kind)) for n, s in shapes.items()}
        groups = [{"params": [p for n, p in weights.items() if n != "undecayed"], "weight_decay": settings["weight_decay"]},
                  {"params": [weights["undecayed"]], "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=1.0, betas=(settings["beta1"], settings["beta2"]), eps=settings["eps"], foreach=False, fused=False)
        norms = []
        for k in range(steps):
            for n, p in weights.items():
                # From far below the clipping norm to far above it.
                p.grad = (noise(f"adamw gradient {k} {n}", shapes[n]) * 10.0 ** (-2.5 + 0.5 * k)).to(kind)
                if kind == torch.float32:
                    result |= {f"gradient.{k}.{n}": p.grad.clone()} | ({f"start.{n}": p.detach().clone()} if k == 0 else {})
            for group in optimizer.param_groups:
                group["lr"] = float(rates[k])
            norms.append(float(torch.nn.utils.clip_grad_norm_(list(weights.values()), settings["max_norm"], foreach=False)))
            optimizer.step()
            if kind == torch.float32:
                for n, p in weights.items():
                    result[f"weight.{k}.{n}"] = p.detach().clone()
                    for moment in ("exp_avg", "exp_avg_sq"):
                        result[f"{moment}.{k}.{n}"] = optimizer.state[p][moment].clone()
        if kind == torch.float32:
            result["norm"] = torch.tensor(norms, dtype=torch.float64)
        else:
            result |= {f"final64.{n}": p.detach().clone() for n, p in weights.items()}
    folder = root / "adamw"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(result, folder / "reference.safetensors",
              metadata={k: str(v) for k, v in settings.items()} | {"steps": str(steps), "not_decayed": "undecayed", "torch": torch.__version__})
    worst = max(float((result[f"final64.{n}"] - result[f"weight.{steps - 1}.{n}"].double()).abs().max()) for n in shapes)
    print(f"adamw: norms {min(norms):.3g} to {max(norms):.3g}, float32 within {worst:.1e} of float64")


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent / "Tests" / "Fixtures")
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for name, case in CASES.items():
        build(name, case, root / "models")
    optimizer_steps(root)


if __name__ == "__main__":
    main()
