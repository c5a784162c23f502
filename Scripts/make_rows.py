#!/usr/bin/env python3
"""Writes prompt/completion rows of made-up text, for timing the reading of data.

    Scripts/make_rows.py OUT.jsonl --megabytes 2000 [--seed 1]

The words are drawn by Zipf's law from English's most frequent ones and from made-up ones, so that a tokenizer meets both what it knows
and what it must cut.
"""
import argparse
import json
import random

COMMON = (
    "the of and to in is was he for it with as his on be at by had not are but from or have an they which one you were her all she there would "
    "their we him been has when who will more no if out so said what up its about into than them can only other new some could time these two may "
    "then do first any my now such like our over man me even most made after also did many before must through back years where much your way well "
    "down should because each just those people how too little state good very make world still own see men work long get here between both life "
    "being under never day same another know while last might us great old year off come since against go came right used take three"
).split()


def words(random_source):
    syllables = [a + b for a in "b c d f g h l m n p r s t v w st tr pl".split() for b in "a e i o u ai ee ou".split()]
    made = ["".join(random_source.choice(syllables) for _ in range(random_source.randint(2, 4))) for _ in range(20000)]
    return COMMON + made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    source = random.Random(options.seed)
    vocabulary = words(source)
    weights = [1 / (rank + 2) for rank in range(len(vocabulary))]
    stock = source.choices(vocabulary, weights, k=1 << 20)

    def text(count):
        start = source.randrange(len(stock) - count)
        chosen = stock[start : start + count]
        return " ".join(chosen).capitalize() + "."

    left = options.megabytes * 1e6
    with open(options.out, "w") as out:
        while left > 0:
            row = {"prompt": f"Question {source.randrange(10**6)}: {text(source.randint(10, 60))}\nAnswer:", "completion": " " + text(source.randint(20, 200))}
            line = json.dumps(row) + "\n"
            out.write(line)
            left -= len(line)


if __name__ == "__main__":
    main()
