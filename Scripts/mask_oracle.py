#!/usr/bin/env python3
"""Which tokens of a conversation are learnt: the rule of Docs/data.md again, by other means, against `holdfast render`.

Holdfast's interpreter carries the origin of every character. Here jinja2 renders, and origins are found from outside:

* Loops are made to say which message they are at while the rendering is written piece by piece: the turn of each character.
* What a message says is found by saying something else of the same length and kind (a letter for a letter, a space for
  another space, a quote for a backslash) and looking where the rendering changes.

usage: mask_oracle.py [--count 10000] [--seed 1]          generated conversations, all shared templates and tokenizers
       mask_oracle.py --fixture Tests/Fixtures/mask        write the small set that the tests bring along
Needs the Python packages jinja2 and tokenizers, and ../shared beside the checkout (but for --fixture).
"""
import argparse, copy, datetime, json, os, random, subprocess, sys, tempfile
import jinja2, jinja2.ext
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.path.join(os.path.dirname(ROOT), "shared")
CONTENT, OTHERS = ("content",), ("reasoning_content", "reasoning", "thinking", "tool_calls", "function_call")


# ---------------------------------------------------------------- rendering with turns

class Watch:
    """How much has been written, and for which message."""

    def __init__(self, messages):
        self.numbers = {id(message): i for i, message in enumerate(messages or [])}
        self.written, self.stack, self.changes, self.generated = 0, [], [(0, None)], []

    def turn(self):
        return next((n for _, n in self.stack if n is not None), None)

    def note(self):
        if self.changes[-1][1] != self.turn():
            self.changes.append((self.written, self.turn()))

    def enter(self, loop, item):
        self.leave(loop)
        self.stack.append((loop, self.numbers.get(id(item))))
        self.note()
        return ""

    def leave(self, loop):
        places = [i for i, (l, _) in enumerate(self.stack) if l == loop]
        if places:
            del self.stack[places[0]:]
        self.note()
        return ""


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("block", [nodes.ContextReference()]), [], [], body).set_lineno(line)

    def block(self, context, caller):
        text, watch = caller(), context["watch__"]
        watch.generated.append((watch.written, watch.written + len(text), watch.turn()))
        return text


class Environment(ImmutableSandboxedEnvironment):
    def _parse(self, source, name, filename):
        tree = super()._parse(source, name, filename)
        count = 0

        def call(method, *arguments):
            target = nodes.Getattr(nodes.Name("watch__", "load"), method, "load")
            return nodes.ExprStmt(nodes.Call(target, list(arguments), [], None, None))

        def visit(node):
            nonlocal count
            for child in list(node.iter_child_nodes()):
                visit(child)
            for field in node.fields:
                body = getattr(node, field, None)
                if not isinstance(body, list) or not any(isinstance(child, nodes.For) for child in body):
                    continue
                new = []
                for child in body:
                    new.append(child)
                    if isinstance(child, nodes.For) and isinstance(child.target, nodes.Name):
                        count += 1
                        child.body.insert(0, call("enter", nodes.Const(count), nodes.Name(child.target.name, "load")))
                        new.append(call("leave", nodes.Const(count)))
                setattr(node, field, new)

        visit(tree)
        for node in tree.find_all(nodes.ExprStmt):
            node.set_lineno(1)
        tree.set_environment(self)
        return tree


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    true = value.true if isinstance(value, (Other, OtherText)) else value
    text = json.dumps(true, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    return text if true is value else MARK * len(text)


def refuse(message):
    raise jinja2.TemplateError(message)


def environment():
    env = Environment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = refuse
    env.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
    return env


class Template:
    def __init__(self, source, tokens):
        self.template, self.tokens = environment().from_string(source), tokens

    def variables(self, row, prompt=False):
        everything = dict(messages=row.get("messages"), tools=row.get("tools"), documents=row.get("documents"),
                          add_generation_prompt=prompt)
        return {**everything, **self.tokens, **(row.get("variables") or {})}

    def render(self, variables):
        """The text, for each character the message it was written for, and the generation blocks."""
        watch = Watch(variables["messages"])
        text = ""
        for piece in self.template.generate(watch__=watch, **variables):
            text += piece
            watch.written = len(text)
        turns, changes = [None] * len(text), watch.changes + [(len(text), None)]
        for (start, turn), (end, _) in zip(changes, changes[1:]):
            turns[start:end] = [turn] * (end - start)
        return text, turns, watch.generated


# ---------------------------------------------------------------- saying something else

MARK = "\uE000"


class Other:
    """Prints as many marks as the value itself would print characters."""

    def __repr__(self):
        return MARK * len(repr(self.true))

    __str__ = __repr__


class OtherText(str):
    pass


class OtherList(Other, list):
    pass


class OtherDict(Other, dict):
    pass


def instead(other, true):
    other.true = true
    return other


def other(character):
    turn = {"\n": "\t", "\t": "\r", "\r": "\n", "\v": "\f", "\f": "\v", '"': "\\", "\\": '"', "\x01": "\x02"}
    if character in turn:
        return turn[character]
    if character.isspace() and ord(character) >= 0x20:
        return "\u2003" if character != "\u2003" else "\u2002"
    return "\x01" if ord(character) < 0x20 else MARK if character != MARK else "\uE001"


def otherwise(value, kept, inside=False):
    """The value with all its words changed; words in `kept` stay. `inside`: keys are words, too."""
    if isinstance(value, str):
        if value in kept:
            return value
        result, i = "", 0
        while i < len(value):
            word = next((w for w in kept if w and value.startswith(w, i)), None) if "</think>" in kept else None
            if word == "</think>":
                result, i = result + word, i + len(word)
            else:
                result, i = result + other(value[i]), i + 1
        return instead(OtherText(result), value)
    if isinstance(value, list):
        return instead(OtherList(otherwise(v, kept, inside) for v in value), value)
    if isinstance(value, dict):
        members = {(otherwise(k, kept) if inside else k): otherwise(v, kept, inside or k == "arguments") for k, v in value.items()}
        return instead(OtherDict(members), value)
    return value


def said(template, row, number, fields, text, turns):
    """Places at which the rendering shows what message `number` says in `fields`; None: cannot be told."""
    if not any(row["messages"][number].get(field) for field in fields):
        return set()
    places, told = set(), False
    builtin = (row.get("variables") or {}).get("builtin_tools") or []
    names = {"python", *builtin}
    for kept, renamed in ((set(), False), ({"</think>"}, False), (names, False), (names | {"</think>"}, False), (set(), bool(builtin))):
        changed = dict(row, messages=[dict(m) for m in row["messages"]])
        if renamed:  # a tool that is known by its name stays known by another
            changed["variables"] = dict(row["variables"], builtin_tools=[otherwise(name, set()) for name in builtin])
        for field in fields:
            if field in changed["messages"][number]:
                changed["messages"][number][field] = otherwise(changed["messages"][number][field], kept)
        try:
            new, newTurns, _ = template.render(template.variables(changed))
        except Exception:
            continue
        if len(new) == len(text) and newTurns == turns:
            told = True
            places |= {i for i in range(len(text)) if new[i] != text[i] and (turns[i] == number or not renamed)}
    return places if told else None


# ---------------------------------------------------------------- the rule

class Untold(Exception):
    pass


def heads(template, row):
    """The generation prompt after a question, and what stands before the content of a plain answer."""
    probe = dict(row, messages=[{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"},
                                {"role": "user", "content": "Q"}])
    try:
        variables = template.variables(probe, True)
        variables["messages"] = probe["messages"]
        text, turns, _ = template.render(variables)
        answered = copy.deepcopy(probe["messages"])
        answered[1]["content"] = MARK
        changed, _, _ = template.render({**variables, "messages": answered})
    except Exception:
        return []
    content = [i for i in range(min(len(text), len(changed))) if text[i] != changed[i] and turns[i] == 1]
    ends = [i for i, turn in enumerate(turns) if turn is not None]
    if not content or not ends:
        return []
    before = "".join(text[i] for i in range(content[0]) if turns[i] == 1)
    prompt = text[ends[-1] + 1:]
    return ([prompt] if prompt else []) + [before]


def chosen(message):
    if "train" in message:
        return message["train"]
    if "weight" in message:
        return message["weight"] > 0
    return message.get("role") == "assistant"


def without_controls(row):
    return dict(row, messages=[{k: v for k, v in m.items() if k not in ("train", "weight")} for m in row["messages"]])


def trained(template, row):
    """The text and the ranges of it that are learnt."""
    choice = [chosen(message) for message in row["messages"]]
    row = without_controls(row)
    text, turns, generated = template.render(template.variables(row))
    if generated:
        return text, [(a, b) for a, b, turn in generated if turn is None or choice[turn]]
    learnt = [False] * len(text)
    for number in [i for i, yes in enumerate(choice) if yes]:
        own = [i for i, turn in enumerate(turns) if turn == number]
        content, others = (said(template, row, number, fields, text, turns) for fields in (CONTENT, OTHERS))
        if content is None or others is None:
            raise Untold(f"message {number}")
        answer = sorted(i for i in content | others if turns[i] == number)
        if not answer:  # printed outside of its turn, as a system's text may be, if at all
            answer = sorted(content | others)
            own = sorted({*own, *answer})
        if not answer:
            continue
        start = answer[0]
        if start not in content:
            lead = "".join(text[i] for i in own if i < start)
            head = next((h for h in heads(template, row) if lead.startswith(h)), None)
            if head is not None and len(head) < len(lead):
                start = own[len(head)]
        for i in own:
            learnt[i] = learnt[i] or i >= start
    edges = [i for i in range(len(text) + 1) if (i < len(text) and learnt[i]) != (i > 0 and learnt[i - 1])]
    return text, list(zip(edges[::2], edges[1::2]))


def marks(tokenizer, text, spans):
    encoding = tokenizer.encode(text, add_special_tokens=False)
    mask = [int(n > 0 and a < b and any(s <= a < e for s, e in spans)) for n, (a, b) in enumerate(encoding.offsets)]
    return encoding.ids, mask


# ---------------------------------------------------------------- conversations

WORDS = ["yes", "no", "Ahoy", "größer", "naïve café", "日本語", "🙂👩‍👩‍👧", "x = 1", "{\"a\": 1}", "C:\\tmp", "<b>", "e\u0301", "42", "…",
         "مرحبا", "a\u00a0b", "<|im_end|>", "</s>", "[/INST]", "&amp;", "it's", "“q”", "```py\nprint(1)\n```", "\u2028", "A.", "0.5"]
EDGES = ["", "", "", "", " ", "\n", "  ", "\n\n", "\t", " \n ", "\u3000"]


class Writer:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def words(self, most=9):
        r = self.random
        text = r.choice([" ", " ", "  ", "\n"]).join(r.choice(WORDS) for _ in range(r.randint(1, most)))
        return r.choice(EDGES) + text + r.choice(EDGES)

    def content(self):
        r, kind = self.random, self.random.random()
        if kind < 0.03:
            return r.choice(["", " ", "\n"])
        if kind < 0.06:
            return [{"type": "text", "text": self.words()} for _ in range(r.randint(1, 2))]
        if kind < 0.10:
            return "<think>" + self.words() + "</think>" + self.words()
        return self.words(r.choice([2, 9, 30]))

    def value(self, depth=0):
        r = self.random
        kinds = [lambda: self.words(3), lambda: r.randint(-9, 10**6), lambda: r.choice([True, False, None, 1.5, 1e20])]
        if depth < 2:
            kinds += [lambda: [self.value(depth + 1) for _ in range(r.randint(0, 2))],
                      lambda: {r.choice(WORDS): self.value(depth + 1) for _ in range(r.randint(0, 2))}]
        return r.choice(kinds)()

    def call(self):
        r = self.random
        arguments = {r.choice(["a", "city", "größe", "x\"y"]): self.value() for _ in range(r.randint(0, 3))}
        name = r.choice(["add", "python", "get_weather", "all", "naïve"])
        function = {"name": name, "arguments": arguments if r.random() < 0.5 else json.dumps(arguments, ensure_ascii=False)}
        return {"id": "".join(r.choice("abcXYZ019") for _ in range(9)), "type": "function", "function": function}

    def tool(self):
        r = self.random
        return {"type": "function", "function": {"name": r.choice(["add", "get_weather"]), "description": self.words(4), "parameters": {
            "type": "object", "properties": {"a": {"type": "number", "description": self.words(3)}}, "required": ["a"]}}}

    def row(self):
        r, messages = self.random, []
        if r.random() < 0.4:
            messages.append({"role": "system", "content": self.words()})
        calls = r.random() < 0.5
        for _ in range(r.choice([1, 1, 2, 3, 4])):
            messages.append({"role": "user", "content": self.words(r.choice([3, 20]))})
            while calls and r.random() < 0.5:
                made = [self.call() for _ in range(r.choice([1, 1, 1, 2]))]
                turn = {"role": "assistant", "content": self.content() if r.random() < 0.3 else r.choice([None, None, ""]),
                        "tool_calls": made}
                if r.random() < 0.1:
                    del turn["content"]
                messages.append(turn)
                for one in made:
                    messages.append({"role": "tool", "name": one["function"]["name"], "content": self.words(4), "tool_call_id": one["id"]})
            turn = {"role": "assistant", "content": self.content()}
            if r.random() < 0.1:
                turn["reasoning_content"] = self.words()
            messages.append(turn)
        if r.random() < 0.1:
            messages.append({"role": "user", "content": self.words()})
        for message in messages:
            if r.random() < 0.05:
                message[r.choice(["train", "train", "weight"])] = r.choice([True, False])
                if "weight" in message:
                    message["weight"] = r.choice([0, 1, 0.5, 0.25, 2])
        row = {"messages": messages}
        if r.random() < 0.5:
            row["tools"] = [self.tool() for _ in range(r.randint(1, 2))] if r.random() < 0.8 else []
        variables = {}
        if r.random() < 0.5:
            variables.update(functions="[]", datetime="2024-05-06")
        if r.random() < 0.1:
            variables["builtin_tools"] = ["python"]
        if variables:
            row["variables"] = variables
        return row


def example(template, tokenizer, writer):
    """A row and what it must come to. Most rows that the template refuses are thrown away."""
    for _ in range(12):
        row = writer.row()
        try:
            text, spans = trained(template, row)
        except Untold:
            return row, "untold"
        except Exception:
            if writer.random.random() < 0.1:
                return row, None
            continue
        ids, mask = marks(tokenizer, text, spans)
        wanted = {"rendered": text, "ids": ids, "trained": mask}
        weights = sorted({message["weight"] for message in row["messages"] if message.get("weight", 0) not in (0, 1)})
        if weights and any(mask):
            wanted["weights"] = list(mask)
            for weight in weights:  # what is learnt where the messages of this weight are alone
                alone = dict(row, messages=[dict({k: v for k, v in m.items() if k != "weight"}, train=m.get("weight") == weight)
                                            for m in row["messages"]])
                _, part = marks(tokenizer, *trained(template, alone))
                wanted["weights"] = [weight if here else w for here, w in zip(part, wanted["weights"])]
            if wanted["weights"] == mask:
                del wanted["weights"]
        return row, wanted
    return row, None


# ---------------------------------------------------------------- comparing

def compare(arguments):
    shared = os.path.join(arguments.shared, "chat-templates")
    manifest = json.load(open(os.path.join(shared, "manifest.json")))
    folders = {n: os.path.join(arguments.shared, "tokenizers", n) for n in sorted(os.listdir(os.path.join(arguments.shared, "tokenizers")))}
    folders["stories260K"] = os.path.join(arguments.shared, "models", "stories260K")
    folders = {n: p for n, p in folders.items() if os.path.exists(os.path.join(p, "tokenizer.json"))}
    tokenizers = {n: Tokenizer.from_file(os.path.join(p, "tokenizer.json")) for n, p in folders.items()}
    pairs = [(entry, name) for entry in manifest for name in folders]
    if arguments.count < 1000:  # reading a tokenizer takes longer than a few conversations
        pairs = pairs[::5]
    sums = dict(conversations=0, refused=0, untold=0, tokens=0, trained=0, answers=0)
    wrong = []
    for place, (entry, name) in enumerate(pairs):
        source = open(os.path.join(shared, entry["file"]), newline="").read()
        template = Template(source, entry["tokens"])
        writer = Writer(f"{arguments.seed} {entry['name']} {name}")
        count = arguments.count * (place + 1) // len(pairs) - arguments.count * place // len(pairs)
        cases = [example(template, tokenizers[name], writer) for _ in range(count)]
        if not cases:
            continue
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(os.path.join(folders[name], "tokenizer.json"), os.path.join(folder, "tokenizer.json"))
            with open(os.path.join(folder, "tokenizer_config.json"), "w") as file:
                json.dump({**entry["tokens"], "chat_template": source}, file)
            lines = "".join(json.dumps(row) + "\n" for row, _ in cases)
            run = subprocess.run([arguments.holdfast, "render", "--model", folder, "--json"], input=lines.encode(), capture_output=True)
        answers = run.stdout.decode().split("\n")[:-1]
        if run.returncode != 0 or len(answers) != len(cases):
            sys.exit(f"{entry['name']}, {name}: exit {run.returncode}, {len(answers)} lines for {len(cases)}: {run.stderr.decode()}")
        for (row, wanted), line in zip(cases, answers):
            got = json.loads(line)
            sums["conversations"] += 1
            if wanted == "untold":
                sums["untold"] += 1
                wrong.append((entry["name"], name, row, "the oracle cannot tell", got))
            elif wanted is None:
                sums["refused"] += 1
                if "error" not in got:
                    wrong.append((entry["name"], name, row, "an error", got))
            elif got != wanted:
                wrong.append((entry["name"], name, row, wanted, got))
            else:
                sums["tokens"] += len(wanted["ids"])
                sums["trained"] += sum(wanted["trained"])
                sums["answers"] += sum(a < b for a, b in zip([0] + wanted["trained"], wanted["trained"]))
    for template, tokenizer, row, wanted, got in wrong[:arguments.show]:
        print(f"--- {template}, {tokenizer}\n{json.dumps(row, ensure_ascii=False)}")
        if "error" in got or isinstance(wanted, str):  # one of them refuses, or the oracle is at a loss
            print(f"  wanted {wanted if isinstance(wanted, str) else wanted['rendered']!r}\n  got {got}")
            continue
        if got["rendered"] != wanted["rendered"]:
            print(f"  wanted {wanted['rendered']!r}\n  got    {got['rendered']!r}")
            continue
        for who in (wanted, got):
            pieces = [tokenizers[tokenizer].decode([i], skip_special_tokens=False) for i in who["ids"]]
            print("  " + "".join(f"[{p}]" if t else p for p, t in zip(pieces, who["trained"])).replace("\n", "⏎"))
    print(f"{sums['conversations']} conversations over {len({e['name'] for e, _ in pairs})} templates and {len({n for _, n in pairs})} tokenizers, "
          f"{sums['refused']} of them refused by their template; {sums['tokens']} tokens, {sums['trained']} trained, "
          f"{sums['answers']} stretches; {sums['untold']} the oracle cannot tell; {len(wrong) - sums['untold']} disagree")
    return 1 if wrong else 0


# ---------------------------------------------------------------- the set that the tests bring along

OWN = {
    "plain": "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>\n{% endfor %}{% if add_generation_prompt %}<s>assistant: {% endif %}",
    "trimmed": "{{ bos_token }}{% for m in messages %}[{{ m['role'] | upper }}]{{ m['content'] | trim + eos_token }}{% endfor %}",
    "calls in a loop": "{% for m in messages %}{{ '<s>' + m.role + '\\n' }}{% if m.content %}{{ m.content }}{% endif %}"
                       "{% for c in m.tool_calls %}\n<call>{\"name\": \"{{ c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}</call>"
                       "{% endfor %}</s>\n{% endfor %}{% if add_generation_prompt %}<s>assistant\n{% endif %}",
    "calls before the loop": "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[I]{{ m.content }}[/I]{% elif m.tool_calls %}[CALLS] ["
                             "{% for c in m.tool_calls %}{{ c.function | tojson }}{{ ', ' if not loop.last }}{% endfor %}]{{ eos_token }}"
                             "{% elif m.role == 'tool' %}[R]{{ m.content }}[/R]{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}",
    "reasoning": "{% for m in messages %}<s>{{ m.role }}\n{% if m.reasoning_content %}<think>{{ m.reasoning_content | trim }}</think>\n{% endif %}"
                 "{{ (m.content or '').split('</think>')[-1] }}</s>{% endfor %}{% if add_generation_prompt %}<s>assistant\n{% endif %}",
    "marked": "{% for m in messages %}<s>{{ m.role }}: {% if m.role == 'assistant' %}{% generation %}{{ m.content }}</s>{% endgeneration %}"
              "{% else %}{{ m.content }}</s>{% endif %}{% endfor %}",
    "prompted further": "{% for m in messages %}<s>{{ m.role }}|{% if m.role == 'assistant' %}>>>{% if m.tool_calls %}{{ m.tool_calls[0].function.name }}"
                        "\n{{ m.tool_calls[0].function.arguments | string }}{% else %}all\n{{ m.content }}{% endif %}{% else %}{{ m.content }}{% endif %}"
                        "</s>{% endfor %}{% if add_generation_prompt %}<s>assistant|>>>{% endif %}",
    "system first": "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set messages = messages[1:] %}{% endif %}"
                    "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %} {{ m.content }} {{ eos_token }}"
                    "{% elif m.role == 'user' %}[I]{% if loop.first and system %}{{ system }}\n\n{% endif %}{{ m.content }}[/I]{% endif %}{% endfor %}",
}


def write_fixture(folder, seed):
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    home = os.path.join(ROOT, "Tests", "Fixtures", "tokenizers")
    names = sorted(n for n in os.listdir(home) if os.path.exists(os.path.join(home, n, "tokenizer.json")))
    cases = []
    for i, (name, source) in enumerate(OWN.items()):
        template, writer = Template(source, tokens), Writer(f"{seed} {name}")
        while sum(case["template"] == name for case in cases) < 8:
            tokenizer = names[len(cases) % len(names)]
            row, wanted = example(template, Tokenizer.from_file(os.path.join(home, tokenizer, "tokenizer.json")), writer)
            if wanted not in (None, "untold"):
                cases.append({"template": name, "tokenizer": tokenizer, "row": row, **wanted})
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "cases.json"), "w") as file:
        lines = ",\n".join(json.dumps(case) for case in cases)
        file.write('{"tokens": %s,\n"templates": %s,\n"cases": [\n%s\n]}\n' % (json.dumps(tokens), json.dumps(OWN, indent=1), lines))
    print(f"{len(cases)} cases of {len(OWN)} templates, {sum(sum(c['trained']) for c in cases)} tokens trained")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10000, help="conversations in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=5, help="disagreements to print")
    parser.add_argument("--holdfast", default=os.path.join(ROOT, ".build", "release", "holdfast"))
    parser.add_argument("--shared", default=SHARED)
    parser.add_argument("--fixture", help="folder to write the tests' own cases to")
    arguments = parser.parse_args()
    if arguments.fixture:
        write_fixture(arguments.fixture, arguments.seed)
    else:
        sys.exit(compare(arguments))


if __name__ == "__main__":
    main()
