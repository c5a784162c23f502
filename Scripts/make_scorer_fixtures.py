#!/usr/bin/env python3
"""Reference values of ROUGE-L and of SQuAD's F1 for made-up pairs of texts.

ROUGE-L is rouge_score 0.1.2 without stemming; F1 is written here from its definition in SQuAD's evaluation (Rajpurkar et al.
2016): lower case, no ASCII punctuation, no articles, overlap of words as multisets.

Writes Tests/Fixtures/statistics/scorers.json. Needs: pip install rouge_score

  python3 Scripts/make_scorer_fixtures.py
"""
import collections
import json
import pathlib
import random
import re
import string

from rouge_score import rouge_scorer


def words(text):
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def f1(answer, reference):
    a, b = words(answer), words(reference)
    if not a or not b:
        return float(a == b)
    common = sum((collections.Counter(a) & collections.Counter(b)).values())
    return 2 * common / (len(a) + len(b)) if common else 0.0


draw = random.Random(3)
stock = ["the", "a", "An", "ship", "Harbour", "harbour,", "blue", "sails", "sails.", "at", "noon", "42", "3.5", "don't", "co-op", "…",
         "café", "naïve", "THE", "wind", "(west)", "un_der", "a", "straße", "—", "east—the", "Ö", "№7", "2²"]
pairs = [("", ""), ("", "word"), ("the", "a"), ("The ship.", "ship"), ("same words here", "same words here"), ("a b c d", "d c b a")]
for _ in range(80):
    first = [draw.choice(stock) for _ in range(draw.randint(1, 14))]
    second = [w for w in first if draw.random() < 0.7] + [draw.choice(stock) for _ in range(draw.randint(0, 5))]
    if draw.random() < 0.3:
        draw.shuffle(second)
    pairs.append((draw.choice([" ", "  ", "\n"]).join(first), " ".join(second)))

scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
rows = [[a, b, f1(a, b), scorer.score(b, a)["rougeL"].fmeasure] for a, b in pairs]
target = pathlib.Path(__file__).resolve().parent.parent / "Tests/Fixtures/statistics/scorers.json"
target.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")
print(target, len(rows), "pairs")
