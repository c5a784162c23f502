#!/usr/bin/env python3
"""Cuts the texts that Recipes/frontier-stories.yaml reads from a folder of public sets: Shakespeare to learn, stories to keep.

usage: Scripts/stories_study.py [DATA] [OUTPUT]      (default: ../shared/data, runs/frontier-stories-data)

Parts follow one another without overlap, a row for each paragraph: training, validation, test; of the stories a part for replay and Fishers."""
import json, os, sys

data = sys.argv[1] if len(sys.argv) > 1 else os.path.join("..", "shared", "data")
output = sys.argv[2] if len(sys.argv) > 2 else os.path.join("runs", "frontier-stories-data")


def parts(path, sizes):
    """Consecutive lists of paragraphs of at least so many bytes."""
    # A paragraph that comes again (a short speech, a story that stands twice) is left out: nobody is asked what was trained on.
    pieces, rest, seen = [], [], set()
    for text in open(path, encoding="utf-8").read().split("\n\n"):
        bare = "".join(text.split())
        if bare and bare not in seen:
            rest.append(text)
        seen.add(bare)
    for size in sizes:
        piece, length = [], 0
        while rest and length < size:
            piece.append(rest.pop(0))
            length += len(piece[-1].encode()) + 2
        pieces.append(piece)
    return pieces


os.makedirs(output, exist_ok=True)
plan = {
    ("tinyshakespeare/input.txt", "shakespeare"): {"train": 900_000, "validation": 20_000, "test": 20_000},
    ("tinystories-text/tinystories-cased-197k.txt", "stories"): {"train": 120_000, "validation": 20_000, "test": 20_000},
}
for (path, name), sizes in plan.items():
    for split, paragraphs in zip(sizes, parts(os.path.join(data, path), sizes.values())):
        with open(os.path.join(output, f"{name}.{split}.jsonl"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in paragraphs)
        print(f"{name}.{split}.jsonl: {len(paragraphs):,} paragraphs")
