#!/usr/bin/env python3
"""Writes reference numbers for a local Hugging Face model, so that `holdfast parity` can prove the engine on it.

    python3 Scripts/parity_reference.py MODEL_FOLDER reference.safetensors
    ./holdfast parity --model MODEL_FOLDER --reference reference.safetensors

The numbers come from transformers: float32 on one CPU thread, evaluation mode, "eager" attention unless told otherwise.
Needs torch, transformers and safetensors (pip install torch transformers safetensors); nothing is downloaded.
The gradients of every weight are stored: about as large as the model in float32, or use --no-gradients.

What the file holds (B rows, T tokens, V words, H hidden size; float32 or int64):

    input_ids, labels        [B, T]      labels are the ids, with -100 on a prompt, inside and at an end
    logits                   [B, T, V]
    loss                     [1]         mean over the labels that count; label t against the logits at t - 1
    hidden.embed             [B, T, H]   what enters the first layer
    hidden.layer.N           [B, T, H]   what leaves layer N
    hidden.final_norm        [B, T, H]   what the output head sees
    grad.NAME                            gradient of the loss for each tensor of the checkpoint
    padded.input_ids, .attention_mask, .labels, .logits, .loss    three rows, padded on the right with id 0
    generate.N.prompt, .tokens [P], [16] greedy continuations without a stop token
"""
import argparse
import pathlib
import sys

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

IGNORE = -100
CONTINUATION = 16


def checkpoint_names(folder):
    """The tensors of a checkpoint, by name, without reading them."""
    names = set()
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            names.update(file.keys())
    return names


def load(folder, attention="eager"):
    """The model in float32, every weight of it from the checkpoint."""
    model, report = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=attention, local_files_only=True, output_loading_info=True)
    if report["missing_keys"]:
        raise SystemExit(f"{folder}: the checkpoint lacks {', '.join(sorted(report['missing_keys']))}")
    return model.eval()


def layers_of(model):
    """The list of blocks: the first module list as long as the configuration says."""
    count = model.config.get_text_config().num_hidden_layers
    for module in model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == count:
            return module
    raise SystemExit(f"no list of {count} layers found in {type(model).__name__}")


class HiddenStates:
    """Records what passes between the layers while it is open."""

    def __init__(self, model):
        self.found, self.hooks = {}, []
        layers = layers_of(model)
        self.hooks.append(layers[0].register_forward_pre_hook(
            lambda module, arguments, keywords: self.keep("embed", arguments[0] if arguments else keywords["hidden_states"]),
            with_kwargs=True))
        for number, layer in enumerate(layers):
            self.hooks.append(layer.register_forward_hook(
                lambda module, arguments, output, number=number: self.keep(f"layer.{number}", output)))
        self.hooks.append(model.get_output_embeddings().register_forward_pre_hook(
            lambda module, arguments: self.keep("final_norm", arguments[0])))

    def keep(self, name, value):
        value = value[0] if isinstance(value, tuple) else value
        self.found[f"hidden.{name}"] = value.detach().to(torch.float32).contiguous()

    def __enter__(self):
        return self.found

    def __exit__(self, *_):
        for hook in self.hooks:
            hook.remove()


def masked_labels(ids):
    """A prompt without labels in the first row; a gap and an end without in the second."""
    labels = ids.clone()
    length = ids.shape[1]
    labels[0, : length // 3] = IGNORE
    if len(ids) > 1:
        labels[1, length // 2 : length // 2 + 2] = IGNORE
        labels[1, length - 3 :] = IGNORE
    return labels


def summed_loss(logits, labels):
    """Sum of the negative log-probabilities of the labels, in float64, and how many count."""
    target = labels[:, 1:]
    keep = target != IGNORE
    log_probabilities = torch.log_softmax(logits[:, :-1].double(), dim=-1)
    return -log_probabilities[keep].gather(-1, target[keep].unsqueeze(-1)).sum(), int(keep.sum())


@torch.no_grad()
def greedy(model, prompt, count):
    """The likeliest token, again and again, the whole sequence each time; and the closest call on the way."""
    ids, closest = prompt.clone(), float("inf")
    for _ in range(count):
        logits = model(input_ids=ids.unsqueeze(0), use_cache=False).logits[0, -1]
        best = logits.topk(2).values
        closest = min(closest, float(best[0] - best[1]))
        ids = torch.cat([ids, logits.argmax().view(1)])
    return ids[len(prompt):], closest


def gradients(model, names):
    """Under the names of the checkpoint; a head tied to the embedding shares the embedding's."""
    found = {}
    prefix = model.base_model_prefix + "."
    for name, parameter in model.named_parameters():
        for known in (name, name.removeprefix(prefix)):
            if known in names:
                gradient = parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
                found[f"grad.{known}"] = gradient.detach().clone().contiguous()
                break
        else:
            raise SystemExit(f"the checkpoint has no tensor for the parameter {name}; --no-gradients goes without")
    return found


def reference(model, names, draw, rows=2, length=24, with_gradients=True):
    """Everything the file holds, and notes for its metadata. `draw(label, shape)` gives ids."""
    ids = draw("batch", (rows, length))
    labels = masked_labels(ids)
    model.zero_grad(set_to_none=True)
    with HiddenStates(model) as hidden:
        output = model(input_ids=ids, labels=labels, use_cache=False)
    summed, count = summed_loss(output.logits.detach(), labels)
    if abs(float(summed) / count - float(output.loss.detach())) > 1e-4 * max(1.0, float(output.loss.detach())):
        raise SystemExit(f"the model's loss {float(output.loss)} is not the mean {float(summed) / count} over the next labels")
    result = {"input_ids": ids, "labels": labels, "logits": output.logits.detach().float(), "loss": output.loss.detach().reshape(1).float()}
    result.update(hidden)
    if with_gradients:
        output.loss.backward()
        result.update(gradients(model, names))

    lengths = [length, max(2, length - 5), max(2, length // 3)]
    padded = torch.zeros(3, length, dtype=torch.long)
    mask = torch.zeros_like(padded)
    padded_labels = torch.full_like(padded, IGNORE)
    for row, n in enumerate(lengths):
        padded[row, :n] = draw(f"row {row}", (n,))
        mask[row, :n] = 1
        padded_labels[row, :n] = padded[row, :n]
    with torch.no_grad():
        output = model(input_ids=padded, attention_mask=mask, labels=padded_labels, use_cache=False)
    result.update({"padded.input_ids": padded, "padded.attention_mask": mask, "padded.labels": padded_labels,
                   "padded.logits": output.logits.float(), "padded.loss": output.loss.reshape(1).float()})

    closest = float("inf")
    for number, n in enumerate((4, 11)):
        prompt = draw(f"prompt {number}", (n,))
        tokens, margin = greedy(model, prompt, CONTINUATION)
        closest = min(closest, margin)
        result.update({f"generate.{number}.prompt": prompt, f"generate.{number}.tokens": tokens})
    notes = {"labels_that_count": str(count), "closest_greedy_choice": f"{closest:.3g}",
             "torch": torch.__version__, "transformers": transformers.__version__}
    return {name: value.contiguous() for name, value in result.items()}, notes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder with config.json and safetensors")
    parser.add_argument("reference", help="file to write")
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--length", type=int, default=24, help="tokens a row")
    parser.add_argument("--seed", type=int, default=0, help="of the ids drawn")
    parser.add_argument("--attention", default="eager", help="attention kernel of transformers: eager or sdpa")
    parser.add_argument("--no-gradients", action="store_true")
    arguments = parser.parse_args()
    if arguments.length < 8 or arguments.rows < 1:
        parser.error("--length is at least 8 and --rows at least 1")
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()

    model = load(arguments.model, arguments.attention)
    words = model.config.get_text_config().vocab_size
    generator = torch.Generator().manual_seed(arguments.seed)
    tensors, notes = reference(
        model, checkpoint_names(arguments.model), lambda label, shape: torch.randint(0, words, shape, generator=generator),
        arguments.rows, arguments.length, not arguments.no_gradients)
    save_file(tensors, arguments.reference, metadata={"format": "pt", "seed": str(arguments.seed), "attention": arguments.attention, **notes})
    print(f"{arguments.reference}: {len(tensors)} tensors, loss {float(tensors['loss']):.6f}")
    if float(notes["closest_greedy_choice"]) < 1e-3:
        print(f"two tokens came within {notes['closest_greedy_choice']} of one another in the continuations, "
              "so equal tokens are not certain even for a correct engine; another --seed may avoid it", file=sys.stderr)


if __name__ == "__main__":
    main()
