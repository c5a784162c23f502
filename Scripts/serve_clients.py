#!/usr/bin/env python3
"""Asks a running `holdfast serve` with other people's clients: the openai package, and lm-evaluation-harness.

    python3 Scripts/serve_clients.py [--holdfast ./holdfast] [--model World/base] [--expert F --anti-expert S]

Needs openai, lm_eval[api] and transformers; `Scripts/serve_clients.sh` installs them into an environment of their own. Starts the server at a free port,
writes the little world's questions into a temporary folder, and asks: chat, streams, log-probabilities, echo, several answers, errors by
openai; a task of choices and one of generated answers by lm_eval's `local-completions`. Without an expert, and where torch is there, lm_eval asks transformers the same and
the log-likelihoods are compared. Exit status 1 where anything is not as it should be.
"""
import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile

failures = []


def check(name, is_right, shown=""):
    print(f"{'ok  ' if is_right else 'FAIL'}  {name}{': ' + str(shown) if shown != '' else ''}", flush=True)
    if not is_right:
        failures.append(name)


class Server:
    """A `holdfast serve` process; its address and key are read from what it prints."""

    def __init__(self, holdfast, arguments):
        self.process = subprocess.Popen([holdfast, "serve", "--port", "0", *arguments], stderr=subprocess.PIPE, text=True)
        self.url = self.key = None
        lines = []
        while self.key is None:
            line = self.process.stderr.readline()
            if not line:
                sys.exit("the server did not start:\n" + "".join(lines))
            lines.append(line)
            if found := re.search(r"serving (\S+) on (http://\S+)/", line):
                self.name, self.url = found[1], found[2]
            if found := re.match(r"key: (\S+)", line):
                self.key = found[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.stderr.close()
        self.process.wait(60)


def ask_openai(server, is_emulated):
    import openai

    client = openai.OpenAI(base_url=server.url + "/v1", api_key=server.key, max_retries=0)
    check("openai: models", [m.id for m in client.models.list()] == [server.name])
    messages = [{"role": "user", "content": "food of buva?"}]
    chat = client.chat.completions.create(model=server.name, messages=messages, temperature=0, max_tokens=12)
    check("openai: chat", chat.choices[0].finish_reason in ("stop", "length") and chat.usage.completion_tokens > 0, repr(chat.choices[0].message.content))
    stream = client.chat.completions.create(
        model=server.name, messages=messages, temperature=0, max_tokens=12, stream=True, logprobs=True, top_logprobs=3,
        stream_options={"include_usage": True})
    text, tokens, usage = "", [], None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            tokens += choice.logprobs.content if choice.logprobs else []
    check("openai: the stream comes to the same", text == chat.choices[0].message.content)
    check("openai: usage at the stream's end", usage == chat.usage)
    check("openai: logprobs of a stream", len(tokens) == usage.completion_tokens and all(len(t.top_logprobs) == 3 for t in tokens))
    check("openai: the greedy token is the likeliest", all(t.logprob == max(o.logprob for o in t.top_logprobs) for t in tokens))
    drawn = [
        client.chat.completions.create(model=server.name, messages=messages, temperature=1.2, max_tokens=12, n=3, seed=s) for s in (4, 4, 5)]
    texts = [[c.message.content for c in d.choices] for d in drawn]
    check("openai: a seed repeats, n answers differ", texts[0] == texts[1] != texts[2] and len(set(texts[0])) > 1)
    echo = client.completions.create(model=server.name, prompt="food of buva? onion", max_tokens=0, echo=True, logprobs=1)
    told = echo.choices[0].logprobs
    check("openai: echo scores", echo.choices[0].text == "food of buva? onion" and told.token_logprobs[0] is None and sum(told.token_logprobs[1:]) < 0)
    stopped = client.completions.create(model=server.name, prompt="food of buva?", max_tokens=20, temperature=0, stop=["n"])
    check("openai: stop", "n" not in stopped.choices[0].text and stopped.choices[0].finish_reason == "stop", repr(stopped.choices[0].text))
    if is_emulated:
        off, strong = (
            client.completions.create(model=server.name, prompt="food of buva?", max_tokens=0, echo=True, logprobs=0, extra_body={"beta": b})
            for b in (0, 2))
        check("openai: beta by extra_body", off.choices[0].logprobs.token_logprobs != strong.choices[0].logprobs.token_logprobs)
    for name, error, body in [
        ("unknown model", openai.NotFoundError, {"model": "other"}), ("bad temperature", openai.BadRequestError, {"temperature": -1}),
        ("too many tokens", openai.BadRequestError, {"max_tokens": 10**6}),
    ]:
        try:
            client.chat.completions.create(**{"model": server.name, "messages": messages, **body})
            check(f"openai: {name}", False, "accepted")
        except error as e:
            check(f"openai: {name}", bool(e.body["message"]), e.body["message"])
    try:
        openai.OpenAI(base_url=server.url + "/v1", api_key="another", max_retries=0).models.list()
        check("openai: wrong key", False, "accepted")
    except openai.AuthenticationError:
        check("openai: wrong key", True)


CHOICES = """
task: world_facts
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{path}"}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}"
doc_to_choice: options
doc_to_target: "{{{{options.index(completion)}}}}"
target_delimiter: ""
metric_list: [{{metric: acc}}]
"""
ANSWERS = """
task: world_sums
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{path}"}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{answer}}}}"
target_delimiter: ""
generation_kwargs: {{until: ["\\n", "<end>"], max_gen_toks: 8, temperature: 0}}
metric_list: [{{metric: exact_match}}]
"""


def ask_harness(server, model, folder, compares):
    import lm_eval
    from lm_eval.tasks import TaskManager

    for name, text, family in [("facts", CHOICES, "facts"), ("sums", ANSWERS, "sums")]:
        with open(f"{folder}/{name}.yaml", "w") as file:
            file.write(text.format(path=f"{folder}/{family}.test.jsonl"))
    tasks = TaskManager(include_path=folder, include_defaults=False)
    os.environ["OPENAI_API_KEY"] = server.key

    def run(kind, **arguments):
        return lm_eval.simple_evaluate(
            model=kind, model_args=arguments, tasks=["world_facts", "world_sums"], task_manager=tasks, log_samples=True, bootstrap_iters=0)

    ours = run(
        "local-completions", model=server.name, base_url=server.url + "/v1/completions", tokenizer_backend="huggingface", tokenizer=model,
        tokenized_requests=True, max_length=255, num_concurrent=4, batch_size=8)
    accuracy, exact = ours["results"]["world_facts"]["acc,none"], ours["results"]["world_sums"]["exact_match,none"]
    check("lm_eval: local-completions", 0 <= accuracy <= 1 and 0 <= exact <= 1, f"facts {accuracy:.3f}, sums {exact:.3f}")
    if not compares:
        return
    theirs = run("hf", pretrained=model, dtype="float32", device="cpu", batch_size=8)
    worst = max(
        abs(a[0][0] - b[0][0])
        for x, y in zip(ours["samples"]["world_facts"], theirs["samples"]["world_facts"]) for a, b in zip(x["resps"], y["resps"]))
    check("lm_eval: log-likelihoods as by transformers", worst < 1e-3, f"largest difference {worst:.2e} nats")
    for task, metric in [("world_facts", "acc,none"), ("world_sums", "exact_match,none")]:
        check(f"lm_eval: {task} as by transformers", ours["results"][task][metric] == theirs["results"][task][metric], theirs["results"][task][metric])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdfast", default="./holdfast")
    parser.add_argument("--model", default="World/base")
    parser.add_argument("--expert", nargs="*", default=[])
    parser.add_argument("--anti-expert")
    parser.add_argument("--items", type=int, default=200, help="questions of each task")
    a = parser.parse_args()
    emulated = ["--expert", *a.expert, "--anti-expert", a.anti_expert] if a.expert else []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([a.holdfast, "world", "--output", folder, "--documents", "1", "--train", "1", "--held-out", str(a.items)], check=True)
        with Server(a.holdfast, ["--model", a.model, "--quiet", *emulated]) as server:
            ask_openai(server, bool(emulated))
            ask_harness(server, a.model, folder, compares=not emulated and importlib.util.find_spec("torch") is not None)
    print(f"{len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
