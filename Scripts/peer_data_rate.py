#!/usr/bin/env python3
"""How fast the tokenizers and jinja2 libraries turn rows into ids, for comparison with `holdfast bench data`.

    Scripts/peer_data_rate.py --model DIR --data ROWS.jsonl [--threads 2]

Rows of prompt and completion are joined and encoded in batches; rows of messages are printed by the chat template first. Reading and
parsing the file is not timed. Needs: tokenizers, jinja2. Prints one line of JSON.
"""
import argparse
import json
import os
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, help="rows at most")
    options = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    import jinja2.sandbox
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(options.model, "tokenizer.json"))
    configuration = {}
    path = os.path.join(options.model, "tokenizer_config.json")
    if os.path.exists(path):
        configuration = json.load(open(path))
    source = configuration.get("chat_template")
    path = os.path.join(options.model, "chat_template.jinja")
    if os.path.exists(path):
        source = open(path).read()
    template = None
    if source:
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])

        def refuse(message):
            raise jinja2.exceptions.TemplateError(message)

        environment.globals["raise_exception"] = refuse
        template = environment.from_string(source)
    special = {k: (v["content"] if isinstance(v, dict) else v) for k, v in configuration.items() if k.endswith("_token")}

    with open(options.data) as file:
        rows = [json.loads(line) for _, line in zip(range(options.limit or 1 << 60), file)]
    tokens = 0
    began = time.perf_counter()
    for start in range(0, len(rows), 1000):
        part = rows[start : start + 1000]
        if "messages" in part[0]:
            texts = [template.render(messages=row["messages"], tools=row.get("tools"), add_generation_prompt=False, **special) for row in part]
        elif "prompt" in part[0]:
            texts = [row["prompt"] + row["completion"] for row in part]
        else:
            texts = [row["text"] for row in part]
        encoded = tokenizer.encode_batch(texts, add_special_tokens="messages" not in part[0])
        tokens += sum(len(one.ids) for one in encoded)
    seconds = time.perf_counter() - began
    print(json.dumps({
        "rows": len(rows), "tokens": tokens, "seconds": round(seconds, 3), "tok_s": round(tokens / seconds), "threads": options.threads,
        "tokenizers": tokenizers.__version__,
    }))


if __name__ == "__main__":
    main()
