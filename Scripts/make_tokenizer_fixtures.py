#!/usr/bin/env python3
"""Trains small tokenizers on text of its own making and writes what the `tokenizers` library makes of strings.

    python Scripts/make_tokenizer_fixtures.py

Writes Tests/Fixtures/tokenizers:
    NAME/tokenizer.json   a trained tokenizer
    NAME/rows.jsonl       text, ids (with special tokens), offsets in Unicode scalars, decoded text where it differs
    NAME/decode.jsonl     ids that no text gave, and their text
    steps.jsonl           single steps of a pipeline: normalizers, pre-tokenizers, expressions, post-processors, decoders
Needs the `tokenizers` package, 0.23.
"""
import json
import pathlib
import random
import shutil

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parent / "Tests/Fixtures/tokenizers"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])

SYLLABLES = "ka lo mi re tan vel sor ith ann der qui pos tro men al ex ul bra cho fin ger hus".split()
ACCENTS = "à é î õ ü ç ñ ß ø å œ ÿ İ ı Ǆ ſ ﬁ e\u0301 a\u0308 o\u0323\u0302 A\u030a".split()
SCRIPTS = "Привет мир Ελλάδα σίγμας 漢字 仮名 かな が か\u3099 한국어 각 שלום سلام हिन्दी क्षि ไทย ၁၂ Ⅷ ½ ²".split()
EMOJI = "😀 👍🏽 👩\u200d💻 🇩🇪 ❤\ufe0f ✓ → ∑ €".split()
SPACES = [" ", " ", " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\u00a0", "\u3000", "\u2028", "\u200b"]
MARKS = list(".,;:!?'\"()[]{}<>/\\|@#$%^&*-_=+~`") + ["...", "--", "—", "«", "»", "'s", "'LL", "n't", "'ſ", "::", "->", "=="]
CODE = ["def f(x):\n    return x ** 2\n", "if (a != b) {\n\treturn;\n}", "x = [1, 2.50, None]", "<p class=\"k\">&nbsp;</p>", "foo_bar->baz[0]++;"]
MARKERS = ["<|end|>", "<|start|>", "<mask>", "WORD", "[Tool]", "<|en", "<s>", "</s>", "<unk>", "<0x41>"]


class Words:
    """Seeded text of many kinds."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lexicon = ["".join(self.random.choice(SYLLABLES) for _ in range(self.random.randint(1, 4))) for _ in range(300)]

    def word(self):
        word = self.lexicon[min(int(self.random.expovariate(0.02)), 299)]
        return self.random.choice([word, word, word, word.capitalize(), word.upper()])

    def sentence(self):
        return " ".join(self.word() for _ in range(self.random.randint(2, 9))) + self.random.choice(". ! ? , ;".split() + [""])

    def piece(self):
        kind = self.random.randint(0, 9)
        if kind < 2:
            return self.word()
        if kind == 2:
            return str(self.random.randint(0, 10 ** self.random.randint(1, 7)))
        return self.random.choice([SPACES, SPACES, ACCENTS, SCRIPTS, EMOJI, MARKS, CODE, MARKERS][kind - 2])

    def string(self):
        if self.random.random() < 0.2:
            return self.sentence()
        return "".join(self.piece() for _ in range(self.random.randint(1, 12)))

    def strings(self, amount):
        fixed = ["", " ", "  ", "\n", "a", "é", "e\u0301", "\u0301", " a", "a ", "x" * 70, "ab" * 40, "한글 각", "<|end|>", " <mask> a"]
        return fixed + [self.string() for _ in range(amount)]


def added(*extra):
    return [AddedToken("<|end|>", special=True, normalized=False), AddedToken("<|start|>", special=True, normalized=False),
            AddedToken("<mask>", special=True, normalized=False, lstrip=True, rstrip=True),
            AddedToken("WORD", single_word=True, normalized=False), AddedToken("[Tool]", normalized=True), *extra]


def train(tokenizer, size, words, alphabet=True, special=(), **options):
    corpus = [words.sentence() for _ in range(1500)] + [words.string() for _ in range(600)]
    alphabet = pre_tokenizers.ByteLevel.alphabet() if alphabet else []
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=sorted(alphabet), special_tokens=list(special),
                                  show_progress=False, **options)
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def build():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=True, add_prefix_space=False)
    train(t, 600, Words(1))
    t.add_tokens(added())
    yield "bytes", t, "a b"

    t = Tokenizer(models.BPE(ignore_merges=True))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    train(t, 600, Words(2))
    t.add_tokens(added())
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single="<|start|> $A", special_tokens=[("<|start|>", t.token_to_id("<|start|>"))])])
    yield "words", t, None

    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=True),
        pre_tokenizers.Digits(False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")])
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    train(t, 600, Words(3), special=["<s>", "</s>"])
    t.add_tokens(added())
    yield "digits", t, None

    pieces = [f"<0x{b:02X}>" for b in range(256)]
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    train(t, 700, Words(4), alphabet=False, special=["<unk>", "<s>", "</s>"] + pieces, limit_alphabet=120)
    t.pre_tokenizer = None
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    d = json.loads(t.to_str())
    d["added_tokens"] = [x for x in d["added_tokens"] if not x["content"].startswith("<0x")]
    t = Tokenizer.from_str(json.dumps(d))
    t.add_tokens(added())
    yield "pieces", t, "a b"

    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip()])
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    t.decoder = decoders.Metaspace(prepend_scheme="first")
    train(t, 500, Words(5), alphabet=False, special=["<unk>"], limit_alphabet=60)
    t.add_tokens(added())
    yield "metaspace", t, None


def joined_merges(data):
    """Merges as "a b", the older of the two forms."""
    data["model"]["merges"] = [" ".join(pair) for pair in data["model"]["merges"]]


def lines(rows):
    return "".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) + "\n" for row in rows)


def rows(t, strings):
    for text in strings:
        e = t.encode(text)
        decoded = t.decode(e.ids, skip_special_tokens=False)
        row = {"text": text, "ids": e.ids, "offsets": [n for pair in e.offsets for n in pair]}
        if decoded != text:
            row["decoded"] = decoded
        skipped = t.decode(e.ids, skip_special_tokens=True)
        if skipped != decoded:
            row["skipped"] = skipped
        yield row


def decode_rows(t, seed, amount):
    r = random.Random(seed)
    known = sorted(t.get_vocab().values())
    for _ in range(amount):
        ids = [r.choice(r.choice([known, known[:260], known[-5:]])) for _ in range(r.randint(1, 9))]
        yield {"ids": ids, "decoded": t.decode(ids, skip_special_tokens=False), "skipped": t.decode(ids, skip_special_tokens=True)}


def step_tokenizers():
    """Tokenizers of one step. Pieces show as one <unk> each, normalized text as the bytes it has."""
    unknown = lambda: Tokenizer(models.BPE(vocab={"<unk>": 0}, merges=[], unk_token="<unk>", fuse_unk=True))
    spelled = lambda: Tokenizer(models.BPE(vocab={f"<0x{b:02X}>": b for b in range(256)}, merges=[], byte_fallback=True))
    n, p = normalizers, pre_tokenizers
    for step in [n.NFC(), n.NFD(), n.NFKC(), n.NFKD(), n.Lowercase(), n.StripAccents(), n.Strip(), n.Strip(right=False),
                 n.Prepend("▁▁"), n.Replace(" ", "▁"), n.Replace(Regex(r"\s{2,}"), "_"), n.Replace("a", ""), n.Nmt(),
                 n.Sequence([n.NFD(), n.StripAccents(), n.NFC(), n.Replace("l", "LL"), n.Lowercase()])]:
        t = spelled()
        t.normalizer = step
        yield t
    behaviors = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
    steps = [p.Split(" ", b) for b in behaviors] + [p.Split(Regex(r"\d|\s"), b) for b in behaviors]
    steps += [p.Split(Regex(r"\p{L}+"), b, invert=True) for b in behaviors] + [p.Punctuation(b) for b in behaviors]
    patterns = [GPT2, LLAMA3, QWEN2, O200K, r"\p{N}{1,3}+", r"(?:a|b)*?o|x*", r"\w+|[^\w\s]+", r"[^(\s|[.,!?…。，、।۔،])]+", r"^\s|o$",
                r"(?>a+|\s+)\S", r"[\p{Lu}\p{Lt}]\P{Lu}*", r"\bk\p{^L}|\B.", r"(?i)[a-f]+|Ö", r"\x{1F600}|\u00e9|\t+", r"a{2}|o{1,}?|(?=l)l?"]
    steps += [p.Split(Regex(x), "isolated") for x in patterns]
    steps += [p.Whitespace(), p.WhitespaceSplit(), p.Digits(False), p.Digits(True), p.BertPreTokenizer(), p.CharDelimiterSplit("o"),
              p.FixedLength(3), p.Metaspace(), p.Metaspace(split=False), p.Metaspace(prepend_scheme="first"),
              p.Metaspace(replacement="_", prepend_scheme="never")]
    for step in steps:
        t = unknown()
        t.pre_tokenizer = step
        t.add_special_tokens(["<|end|>"])
        yield t
    for step in [p.ByteLevel(add_prefix_space=True), p.ByteLevel(add_prefix_space=False, use_regex=False)]:
        for post in [processors.ByteLevel(trim_offsets=True), processors.ByteLevel(trim_offsets=True, add_prefix_space=False)]:
            t = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(sorted(p.ByteLevel.alphabet()))}, merges=[]))
            t.pre_tokenizer, t.post_processor, t.decoder = step, post, decoders.ByteLevel()
            yield t
    vocabulary = {"<unk>": 0, "▁": 1, "a": 2, "##b": 3, "c</w>": 4, "k": 5, "##a": 6, "ka": 7, "o": 8, "##o</w>": 9}
    for decoder in [None, decoders.BPEDecoder(), decoders.WordPiece(), decoders.Metaspace(), decoders.Metaspace(prepend_scheme="never"),
                    decoders.Sequence([decoders.Replace(Regex("[ac]+"), "x"), decoders.Strip("x", 0, 1)]), decoders.Fuse()]:
        t = Tokenizer(models.BPE(vocab=vocabulary, merges=[("k", "##a")], unk_token="<unk>", continuing_subword_prefix="##",
                                 end_of_word_suffix="</w>"))
        t.pre_tokenizer = p.WhitespaceSplit()
        if decoder is not None:
            t.decoder = decoder
        yield t


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    for name, tokenizer, form in build():
        folder = OUT / name
        folder.mkdir(parents=True)
        data = json.loads(tokenizer.to_str())
        if form == "a b":
            joined_merges(data)
        text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
        (folder / "tokenizer.json").write_text(text + "\n")
        tokenizer = Tokenizer.from_str(text)
        (folder / "rows.jsonl").write_text(lines(rows(tokenizer, Words(77).strings(250))))
        (folder / "decode.jsonl").write_text(lines(decode_rows(tokenizer, 78, 60)))
        print(name, tokenizer.get_vocab_size(), sum(f.stat().st_size for f in folder.iterdir()))
    strings = Words(79).strings(8)
    steps = [{"tokenizer": json.loads(t.to_str()), "rows": list(rows(t, strings))} for t in step_tokenizers()]
    (OUT / "steps.jsonl").write_text(lines(steps))
    print("steps", len(steps), (OUT / "steps.jsonl").stat().st_size)


if __name__ == "__main__":
    main()
