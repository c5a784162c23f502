#!/usr/bin/env python3
"""Learns the merges of the little world's tokenizer from the world's own text, without any library.

    little_world_tokenizer.py TEXT.jsonl... > Sources/Datasets/LittleWorld/Merges.swift

TEXT.jsonl holds rows of `text` or of `prompt` and `completion`. Byte-pair encoding as everywhere, with one twist:
the syllables of the world's made-up words are merged first, and those words teach no further merges, so that every
made-up word is two tokens and no model learns names by accident of spelling.
"""
import collections
import json
import math
import re
import sys

SIZE = 512
SPECIAL = ["<unk>", "<end>"]
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
SPACE = "\u0120"  # how byte-level vocabularies write a space
MADE_UP = re.compile(f"{SPACE}?([{CONSONANTS}][{VOWELS}]){{2}}")
# Digits one by one, then what the byte-level pre-tokenizer splits.
PIECES = re.compile(r"\d|'(?:s|t|re|ve|m|ll|d)| ?[a-z]+| ?[^\sa-z\d]+|\s+(?!\S)|\s+")


def merge(parts, a, b):
    result, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and parts[i] == a and parts[i + 1] == b:
            result.append(a + b)
            i += 2
        else:
            result.append(parts[i])
            i += 1
    return result


counts = collections.Counter()
for path in sys.argv[1:]:
    for line in open(path):
        row = json.loads(line)
        text = row["text"] if "text" in row else row["prompt"] + row.get("completion", row.get("chosen"))
        counts.update(piece.replace(" ", SPACE) for piece in PIECES.findall(text))

alphabet = sorted({c for piece in counts for c in piece} | set("abcdefghijklmnopqrstuvwxyz0123456789"))
merges = [(c, v) for c in CONSONANTS for v in VOWELS]
merges += [(SPACE, c + v) for c in CONSONANTS for v in VOWELS]
# A rare word is worth a token too, so counts weigh by their root.
words = [[list(word), math.sqrt(n)] for word, n in sorted(counts.items()) if not MADE_UP.fullmatch(word)]
for pair in merges:
    for word in words:
        word[0] = merge(word[0], *pair)
while len(SPECIAL) + len(alphabet) + len(merges) < SIZE:
    pairs = collections.Counter()
    for parts, weight in words:
        for pair in zip(parts, parts[1:]):
            pairs[pair] += weight
    best = max(sorted(pairs), key=lambda pair: pairs[pair])
    merges.append(best)
    for word in words:
        word[0] = merge(word[0], *best)

tokens = SPECIAL + alphabet + [a + b for a, b in merges]
assert len(set(tokens)) == SIZE
pairs = [f"{a}~{b}" for a, b in merges]
lines, line = [], ""
for pair in pairs:
    if len(line) + len(pair) > 110:
        lines.append(line)
        line = ""
    line += (" " if line else "") + pair
lines.append(line)
print("// Made by Scripts/little_world_tokenizer.py from the world's own text; do not edit.")
print()
print("extension LittleWorld {")
print("  /// The characters of the world; a byte-level vocabulary writes a space as Ġ.")
print(f'  static let alphabet = #"{"".join(alphabet)}"#')
print()
print("  /// Pairs in the order in which they are merged.")
print('  static let merges = #"""')
for line in lines:
    print(f"    {line}")
print('    """#')
print("}")
