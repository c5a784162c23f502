#!/usr/bin/env python3
"""Compares `holdfast tokenize` with the `tokenizers` library, string for string, and times both.

    python Scripts/check_tokenizers.py FOLDER... [--rows FILE.jsonl] [--random N] [--time FILE.txt] [--holdfast PROGRAM]

FOLDER holds a tokenizer.json. Rows have a `text`; without --rows and --random the strings of
../shared/tokenizers/expected are taken. Ids, offsets and decoded text must be equal: exits 2 when any differ.
--time FILE.txt times both on one thread instead, in turn, and prints MB of UTF-8 a second of processor time as a
Markdown table, ours / the library's: the file as one text and line by line, ids alone (the library's encode_batch_fast) and
with offsets (its encode). Needs the `tokenizers` package, 0.23.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import time
import unicodedata

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SHARED = HERE.parent.parent / "shared"


def random_strings(amount, seed=1):
    """Scalars that Unicode 3.2 had already, so that no two libraries disagree about their classes."""
    old = unicodedata.ucd_3_2_0
    pool = [chr(c) for c in range(0x20000) if old.category(chr(c)) == unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]
    common = list("  \t\n'’.,-_<|>aeinostzAEZ0129éüßñ") + ["'s", "'LL", "\r\n", "e\u0301", "\u00a0", "한", "漢"]
    r = random.Random(seed)
    for _ in range(amount):
        yield "".join(r.choice(r.choice([pool, common, common])) for _ in range(r.randint(1, 40)))


def strings(args, folder):
    if args.random:
        return list(random_strings(args.random))
    path = args.rows or SHARED / "tokenizers/expected" / (pathlib.Path(folder).name + ".jsonl")
    return [json.loads(line)["text"] for line in open(path, encoding="utf-8")]


def compare(command, folder, texts):
    library = Tokenizer.from_file(folder + "/tokenizer.json")
    library.no_padding()
    library.no_truncation()
    rows = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    run = subprocess.run([command, "tokenize", "--json", "--model", folder], input=rows, capture_output=True, text=True, check=True)
    wrong = 0
    for text, line in zip(texts, run.stdout.split("\n")[:-1], strict=True):
        ours = json.loads(line)
        theirs = library.encode(text)
        decoded = library.decode(theirs.ids, skip_special_tokens=False)
        same = (ours["ids"] == theirs.ids, ours["offsets"] == [list(pair) for pair in theirs.offsets], ours["text"] == decoded)
        if not all(same):
            wrong += 1
            if wrong <= 3:
                print(f"  {text!r}: ids, offsets, text agree: {same}")
    print(f"{folder}: {len(texts)} strings, {wrong} differ")
    return wrong


def measure(command, folder, path):
    run = subprocess.run([command, "bench", "tokenize", "--json", "--model", folder, "--text", path], capture_output=True, text=True, check=True)
    ours = json.loads(run.stdout)
    library = Tokenizer.from_file(folder + "/tokenizer.json")
    library.no_padding()
    library.no_truncation()
    text = open(path, encoding="utf-8", newline="").read()
    rows = [row for row in text.split("\n") if row]

    def rate(work):
        best = float("inf")
        for _ in range(5):
            start = time.process_time()
            work()
            best = min(best, time.process_time() - start)
        return len(text.encode()) / 1e6 / best

    theirs = {
        "whole": rate(lambda: library.encode_batch_fast([text])),
        "rows": rate(lambda: library.encode_batch_fast(rows)),
        "whole_offsets": rate(lambda: library.encode(text)),
        "rows_offsets": rate(lambda: [library.encode(row) for row in rows]),
    }
    cells = [f"{ours[key]:.1f} / {theirs[key]:.1f}" for key in theirs]
    print(f"| {pathlib.Path(folder).name} | " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--rows")
    parser.add_argument("--random", type=int)
    parser.add_argument("--time")
    parser.add_argument("--holdfast", default=f"{HERE.parent}/holdfast")
    args = parser.parse_args()
    if args.time:
        print("| tokenizer | whole, ids | by line, ids | whole, offsets | by line, offsets |\n|---|---|---|---|---|")
    wrong = 0
    for folder in args.folders:
        if args.time:
            measure(args.holdfast, folder, args.time)
        else:
            wrong += compare(args.holdfast, folder, strings(args, folder))
    sys.exit(2 if wrong else 0)


if __name__ == "__main__":
    main()
