#!/usr/bin/env python3
"""Writes Tests/Fixtures/chat-templates/constructs.json: small templates, one construct each, with what jinja2 makes
of them in the environment that Transformers sets up. Needs jinja2 3.1.

    python Scripts/make_template_fixtures.py           write
    python Scripts/make_template_fixtures.py --check   build again and compare
"""
import copy
import datetime
import json
import pathlib
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import CallBlock
from jinja2.sandbox import ImmutableSandboxedEnvironment

TARGET = pathlib.Path(__file__).resolve().parent.parent / "Tests/Fixtures/chat-templates/constructs.json"
NOW = datetime.datetime(2025, 3, 9, 14, 5, 9)
LEFT, RIGHT = "\ufdd0", "\ufdd1"


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return CallBlock(self.call_method("marked"), [], [], body).set_lineno(line)

    def marked(self, caller):
        return LEFT + caller() + RIGHT


def refuse(message):
    raise jinja2.exceptions.TemplateError(message)


def dumps(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


ENVIRONMENT = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
ENVIRONMENT.filters["tojson"] = dumps
ENVIRONMENT.globals.update(raise_exception=refuse, strftime_now=NOW.strftime)

TALK = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "  Où est Ben? "},
    {"role": "assistant", "content": "Là-bas, près du café ☕."},
]

# (template, context); a bare string has no context.
CASES = [
    # white space and tags
    "a \n {%- if 1 %} b {% endif -%} \n c", "{% if 1 -%}\n\n x\n{%- endif %}\ny", "x{% if 1 %}\n\n\ny{% endif %}\n\nz\n\n",
    "  {% set a = 1 %}  {{ a }}\n\t{% if a %}\n\tb\n  {% endif %}c", "a{#- x -#}\n b", "a\n  {# x #}\nb", "a {# x +#}\nb",
    "{%+ if true +%}\n x{% endif %}", "{%- raw -%}  {{ x }} {# y #} {%- endraw -%}  z", "a\r\nb\rc\r\n", "\n\n{{ 1 }}\n\n",
    "{{- 1 -}} {{ 2 }}", "{{-1}}", "{{ '}}' }}{{ \"%}\" }}", "{{ {'a': {'b': 1}}['a']['b'] }}", "{{ '{%' }}{{ '{{' }}", "{% raw %}\n a {% endraw %}\nb",
    "{% if 1 %}\n{% endif %}\n{% if 1 %}\n{% endif %}\n", "{%if 1%}a{%endif%}", "{% for x in [1] %}{{x}}{%-   endfor   -%}  !",
    # literals
    r"{{ 'a\tb\\n\x41\u00e9\U0001F600\101\q' }}", "{{ 'a' 'b' \"c\" }}", "{{ 1_000 + 0b101 + 0o17 + 0xff }}", "{{ 1.5e3 }} {{ 1e-7 }} {{ 2E+2 }} {{ 12_3.4_5 }}",
    "{{ [1, 2,] }}{{ (1,) }}{{ {'a': 1,} }}{{ () }}", "{{ 1, 2 }}", "{{ True, true, None, none, False }}", "{{ 'it\\'s' }}", "{{ ['it\\'s', \"a\\\"b\", 'c\\\\', '\\x00\\x7f\u200b\u00a0é'] }}",
    "{{ {1: 'a', 1.0: 'b', true: 'c', none: 'd'} }}", "{{ {'a': 1, 'a': 2} }}", "{{ 1e16 }} {{ 123456789012345680.0 }} {{ 9007199254740993.0 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ -0.0 }} {{ 1e308 * 10 }} {{ 5e-324 }}",
    "{{ 3.0 }} {{ 100000.0 }} {{ 1.10 }} {{ 1/3 }} {{ 2/3*3 }} {{ 9999999999999998.0 }}",
    # operators
    "{{ 7 // -2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }}",
    "{{ true + true }} {{ 1 + 1.5 }} {{ 3 * 'ab' }} {{ [1] * 2 }} {{ (1,) + (2,) }} {{ 'a' * -1 }} {{ +5 - -3 }}", "{{ 1 / 0 }}", "{{ 1 % 0 }}", "{{ [1] + (2,) }}", "{{ {} + {} }}", "{{ none + 1 }}", "{{ -'a' }}",
    "{{ 1 < 2 > 0 }} {{ 1 == 1 == 1 }} {{ 'b' > 'a' >= 'a' }} {{ [1, 2] < [1, 3] }} {{ (1, 'a') == (1, 'a') }} {{ [1] == (1,) }}", "{{ 1 < 'a' }}", "{{ none < 1 }}", "{{ {} < {} }}", "{{ 1 != 1.0 }} {{ 'a' != 'b' }} {{ [] == [] }} {{ {'a': [1]} == {'a': [1.0]} }}",
    "{{ 'a' in {'a': 1} }} {{ 1 in (1, 2) }} {{ 'x' not in 'abc' }} {{ '' in 'abc' }} {{ none in [none] }} {{ true in [1] }}", "{{ 1 in 'abc' }}", "{{ 1 in 5 }}", "{{ [] in {'a': 1} }}",
    "{{ not true or true }} {{ not (true or true) }} {{ 1 and 0 or 3 }} {{ '' or [] or none }} {{ not '' and not 0 }} {{ not not 3 }}", "{{ 1 if 0 else 2 if 0 else 3 }} {{ (1 if 1) }}|{{ (1 if 0) }}|{{ ('a' if 0) is defined }}",
    "{{ 'a' ~ 1 ~ none ~ [1] ~ 1.0 ~ {'b': ()} }}", "{{ 1 ~ 2 + 3 }}", "{{ 'x' ~ nope ~ 'y' }}", "{{ 2 * 3 ~ 4 }} {{ 5 - 2 ~ '' }}", "{{ 'a' 'b' ~ 'c' }}", "{{ 10 - 2 - 3 }} {{ 2 * 3 % 4 }} {{ 100 // 7 // 2 }}",
    "{{ '%s is %d and %.2f%%' % ('x', 3, 2.5) }} {{ '%5s|%-5s|%05d|%+d' % ('a', 'b', 42, 7) }} {{ '%x %X %o %r' % (255, 255, 8, 'q') }}", "{{ '%s' % [1] }} {{ '%s' % 'a' }} {{ '%(a)s-%(b)d' % {'a': 1, 'b': 2} }} {{ 'no' % () }}", "{{ '%d' % 'a' }}", "{{ '%s %s' % 'a' }}", "{{ '%s' % (1, 2) }}",
    # attributes, items, slices
    ("{{ d.a.b }} {{ d['a'].b }} {{ d.l.0 }} {{ d.l[-1] }} {{ d.none }} {{ d.get('x', 'y') }} {{ d.l[0][1] }}", {"d": {"a": {"b": 2}, "l": ["ab", "cd"]}}),
    ("{{ d.items() | list }}{{ d.values() | list }}{{ d.keys() }}{{ d.values() }}{{ d.items() }}", {"d": {"x": 1, "y": [2]}}), ("{{ d.keys is callable }}{{ d['keys'] }}", {"d": {"keys": 1}}), ("{{ d.get is callable }}|{{ d['get'] }}", {"d": {"get": 3}}),
    "{{ 'abc'[1] }}{{ 'abc'[-1] }}[{{ 'abc'[5] }}][{{ 'abc'['x'] }}][{{ [1]['a'] }}][{{ 5[0] }}][{{ none.x }}]", "{{ 'abcdef'[1:4] }} {{ 'abcdef'[::-2] }} {{ 'abcdef'[-3:] }} {{ 'abcdef'[:-10] }} {{ 'abcdef'[10:] }} {{ 'abcdef'[4:1] }} {{ 'abcdef'[4:1:-1] }} {{ 'naïve☕x'[2:6] }} {{ 'añb'[::-1] }}",
    "{{ [1,2,3,4,5][1:-1] }} {{ (1,2,3)[::-1] }} {{ [1,2,3][none:2] }} {{ range(10)[2:5] | list }} {{ range(10)[3] }}", "{{ [1,2][::0] }}", "[{{ {'a': 1}[1:2] }}]", "{{ nope[0] }}", "{{ nope['a'] }}", "[{{ {}.a }}]{{ {}.a.b }}", "{{ [].a.b }}",
    "{{ ''.__class__.__mro__ }}", "{{ {}.__init__ }}x", "{{ [1].append }}", "{{ [1].pop() }}", "{{ {'a': 1}.update({'b': 2}) }}", "{{ {'a': 1}.pop('a') }}", "{{ [3, 1].sort() }}", "{{ {}.setdefault('a', 1) }}", "{{ (1, 2).index(2) }} {{ [1, 1, 2].count(1) }}", "{{ [1].index(5) }}",
    # undefined
    "[{{ nope }}][{{ nope is defined }}][{{ nope or 'x' }}][{{ nope | length }}][{{ nope | list }}][{{ nope | join }}][{{ nope == nope2 }}][{{ nope != 1 }}][{{ 'a' in nope }}]", "{{ nope() }}", "{{ nope.x }}", "{{ nope + 1 }}", "{{ 1 - nope }}", "{{ -nope }}", "{{ nope < 1 }}", "{{ 1 > nope }}", "{{ 'a' ~ nope }}|{{ nope | string }}|{{ nope | upper }}|{{ nope | trim }}", "{{ nope | int }}", "{{ [nope] }}", "{{ nope | first }}|{{ [] | first }}|{{ [] | last }}", "{{ nope | last }}", "{{ nope in 'abc' }}", "{{ nope | default('d') }}{{ nope.a | default('d') }}", "{{ ([] | first).x }}", "{{ nope | map('upper') | list }}{{ nope | selectattr('x') | list }}{{ nope | items | list }}",
    # statements
    "{% set a, b = [1, 2] %}{{ a }}{{ b }}{% set (c, d) = 'xy' %}{{ c }}{{ d }}", "{% set a, b = [1] %}", "{% set a, (b, c) = [1, [2, 3]] %}{{ a }}{{ b }}{{ c }}", "{% set x | upper %}ab{{ 1 }}{% endset %}{{ x }}", "{% set x | replace('a', 'b') | upper %}aa{% endset %}{{ x }}", "{% set x %}{% set y = 1 %}{{ y }}{% endset %}{{ x }}[{{ y }}]",
    "{% if a is defined %}1{% elif b is not defined %}2{% else %}3{% endif %}", "{% if 0 %}a{% elif 0 %}b{% elif 1 %}c{% else %}d{% endif %}", "{% if [] or {} %}a{% endif %}b", "{% if 1, 2 %}a{% endif %}", "{% if x := 1 %}{% endif %}",
    "{% for a in [1,2] %}{% for b in [a] %}{{ loop.index }}{{ loop.last }}{% endfor %}{{ loop.revindex }}{% endfor %}", "{% for a, b in [[1, 2], 'xy'] %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [[1]] %}{% endfor %}", "{% for x in 5 %}{% endfor %}", "{% for x in none %}{% endfor %}", "{% for x in [] %}a{% else %}b{% endfor %}{% for x in [1] %}a{% else %}b{% endfor %}", "{% for x in [1,2,3,4] if x is even %}{{ x }}{{ loop.length }}{% else %}none{% endfor %}", "{% for x in [1,3] if x is even %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in [1,2,3,4,5] %}{% if x == 2 %}{% continue %}{% elif x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in [1,2] %}{% for y in [1,2] %}{% if y == 2 %}{% break %}{% endif %}{{ x }}{{ y }}{% endfor %}{% endfor %}", "{% break %}", "{% for x in [1,2] %}{% set z %}{% if x == 1 %}{% continue %}{% endif %}a{% endset %}{{ z }}{% endfor %}", "{% for x in [1] %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}", "{% for x in [1] %}{% else %}{% break %}{% endfor %}",
    "{% for x in 'abc' %}{{ loop.previtem }}{{ x }}{{ loop.nextitem }}{{ loop.cycle('-', '+') }}{{ loop.changed(x == 'b') }}{{ loop.first }}{{ loop.depth }}{{ loop.revindex0 }} {% endfor %}", "{% for x in [1] %}{{ loop.nope }}{% endfor %}", "{% for x in [1] %}{{ loop | length }}{{ loop }}{% endfor %}", "{{ loop is defined }}{% for x in [1] %}{% endfor %}", "{% for loop in [1] %}{% endfor %}", "{% for x in [1] %}{% set loop = 1 %}{% endfor %}",
    ("{% for n in tree recursive %}{{ n.v }}{% if n.c %}({{ loop(n.c) }}){% endif %}{{ loop.depth }}{% endfor %}", {"tree": [{"v": 1, "c": [{"v": 2}, {"v": 3, "c": [{"v": 4}]}]}, {"v": 5}]}), "{% for x in [1] %}{{ loop([2]) }}{% endfor %}", "{% for x in [[1]] recursive %}{{ x if x is number else loop(x) }}{% else %}e{% endfor %}",
    "{% set x = 1 %}{% for i in [1,2] %}{{ x }}{% set x = 9 %}{{ x }}{% endfor %}{{ x }}", ("{% for i in [1,2] %}{{ x }}{% set x = i %}{{ x }}{% endfor %}{{ x }}", {"x": "g"}), ("{% for i in [1,2] %}{% if i == 2 %}{% set x = i %}{% endif %}{{ x }}{% endfor %}", {"x": "g"}), ("{% for a in [1] %}{% for b in [1] %}{{ x }}{% endfor %}{% set x = 1 %}{% endfor %}", {"x": "g"}), ("{% macro f() %}{{ x }}{% endmacro %}{{ f() }}{% set x = 1 %}{{ f() }}", {"x": "g"}), ("{% if 0 %}{% set x = 1 %}{% endif %}{{ x }}", {"x": "g"}), ("{% if 0 %}{% set x = 1 %}{% elif 0 %}{% set y = 1 %}{% endif %}{{ x }}{{ y }}{% set y = 2 %}{{ y }}", {"x": "g", "y": "h"}),
    "{% set ns = namespace(a=1) %}{% set ns.b = 2 %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}[{{ ns.c }}]{{ ns }}", "{% set d = {} %}{% set d.x = 1 %}", "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a + ns.b }}", "{% set ns = namespace() %}{% set ns.a, x = 1, 2 %}{{ ns.a }}{{ x }}", "{{ namespace() is mapping }}{{ namespace() is defined }}", "{% set ns.x = 1 %}",
    "{% with %}a{% endwith %}{% with x = 1 %}{% set y = x %}{{ y }}{% endwith %}[{{ x }}{{ y }}]", "{% set x = 1 %}{% with x = 2, y = x %}{{ x }}{{ y }}{% endwith %}{{ x }}", "{% with a, b = (1, 2) %}{{ a }}{{ b }}{% endwith %}", "{% filter upper | replace('A', 'x') %}ab{{ 'a' }}{% endfilter %}", "{% print 1, 'a' %}", "{% filter indent(2) %}a\nb{% endfilter %}",
    # macros
    "{% macro f(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }}|{{ f(1, c=3) }}|{{ f() }}|{{ f(b=1, a=0) }}", "{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{% endmacro %}{{ f(x=2) }}", "{% macro f(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, x=4) }}", "{% macro f() %}{{ caller is defined }}{% endmacro %}{{ f() }}", "{% macro f(x) %}[{{ caller(x) }}]{% endmacro %}{% call(y) f('v') %}<{{ y }}>{% endcall %}", "{% macro f() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b=5, c=6) f() %}{{ a }}{{ b }}{{ c }}{% endcall %}", "{% macro f(x) %}{{ x | length }}{% endmacro %}{{ f(f) }}", "{% macro f(a='d') %}{{ a }}{% endmacro %}{{ f(none) }}{{ f(nope) }}", "{% macro a() %}A{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}", "{% macro f(*args) %}{% endmacro %}", "{% macro f(a=1, b) %}{% endmacro %}", "{% macro f(a, a) %}{% endmacro %}x", "{{ f() }}{% macro f() %}{% endmacro %}", "{% if 1 %}{% macro f() %}m{% endmacro %}{% endif %}{{ f() }}", "{% for i in [1,2] %}{% macro f() %}{{ i }}{% endmacro %}{{ f() }}{% endfor %}", "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", "{% macro f(x) %}{% set x = x ~ '!' %}{{ x }}{% endmacro %}{{ f('a') }}{{ f.name }}", "{% macro f() %}{{ x }}{% endmacro %}{% for x in [1] %}{{ f() }}{% endfor %}", "{% macro f(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ f(*[1, 2]) }}{{ f(**{'a': 3, 'b': 4}) }}{{ f(*[5], **{'b': 6}) }}", "{% call f() %}{% endcall %}", "{% call 5 %}{% endcall %}",
    # filters
    "{{ [1, -2.5, true] | map('abs') | list }}", "{{ 'a,b' | attr('split') is callable }}[{{ {'a': 1} | attr('a') }}]", "{{ [1,2,3,4,5] | batch(2) | list }}{{ [1,2,3] | batch(2, 'x') | list }}{{ [1,2,3,4,5] | slice(3) | list }}{{ [1,2,3,4] | slice(3, 'x') | list }}", "{{ 'ÉCOLE ßtraße' | capitalize }}|{{ 'ßa' | upper }}|{{ 'ΑΣ ΑΣΑ Σ' | lower }}|{{ 'İ' | lower }}|{{ 'ǆ' | title }}", "[{{ 'ab' | center(7) }}][{{ 'abc' | center(6) }}][{{ 'a' | center(4) }}]",
    "{{ {'b': 1, 'A': 3, 'c': 2} | dictsort }}{{ {'b': 1, 'A': 3} | dictsort(true) }}{{ {'b': 1, 'A': 3} | dictsort(by='value', reverse=true) }}", "{{ '<a & \"b\">' | e }}{{ '<a>' | escape | escape }}{{ '<a>' | e | forceescape }}", "{{ '<b>' | safe + '<i>' }} {{ '<i>' + '<b>' | safe }} {{ ('<b>' | safe) ~ '<i>' }} {{ '<b>' | safe | upper + '&' }} {{ ['<' | safe, '>'] | join('&') }}", "{{ '%s' | format('a') }}{{ '%s-%s' | format(1, 2) }}{{ '%(x)s' | format(x=5) }}", "{{ [{'k': 1, 'v': 'a'}, {'k': 2, 'v': 'b'}, {'k': 1, 'v': 'c'}] | groupby('k') }}", "{% for k, l in [{'k': 'B'}, {'k': 'a'}, {'k': 'b'}] | groupby('k') %}{{ k }}{{ l | length }}{% endfor %}",
    "{{ 'a\n\nb\n' | indent }}|{{ 'a\nb' | indent('> ') }}|{{ 'a\nb' | indent(width=1, first=True, blank=True) }}|{{ 'x\r\ny\x0bz' | indent(1) }}", "{{ '0x1f' | int(0, 16) }} {{ '1_0' | int }} {{ ' 7 ' | int }} {{ '-3.9' | int }} {{ 'z' | int('d') }} {{ none | int }} {{ 3.99 | int }} {{ '0b11' | int(base=2) }} {{ '' | int }} {{ '1e3' | int }} {{ true | int }}", "{{ '1e3' | float }} {{ 'x' | float }} {{ 'x' | float(1) }} {{ ' -.5 ' | float }} {{ 'inf' | float }} {{ 3 | float }} {{ '1_0' | float }} {{ none | float }}",
    "{{ [1, none, 'a'] | join }} {{ ['a', 'b'] | join(', ') }} {{ [{'x': 1}, {'x': 2}] | join('-', attribute='x') }} {{ 'abc' | join('.') }} {{ {'a': 1, 'b': 2} | join }} {{ [1] | join(0) }}", "{{ [[1], [2, 3]] | map('length') | list }} {{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }} {{ [{'a': 1}, {}] | map(attribute='a', default=0) | list }} {{ [[5, 6]] | map(attribute=1) | list }} {{ ['a-b'] | map('replace', '-', '+') | list }} {{ [' a '] | map('trim') | map('upper') | join }}", "{{ [1] | map('nosuch') | list }}", "{{ [1] | map | list }}", "{{ [3, 1, 2] | max }} {{ ['b', 'A'] | min }} {{ ['b', 'A'] | min(case_sensitive=true) }} [{{ [] | max }}] {{ [{'v': 2}, {'v': 1}] | min(attribute='v') }} {{ 'hello' | max }}", "{{ [1, 'a'] | max }}",
    "{{ 'aaa' | replace('a', 'b', 2) }} {{ 'abc' | replace('', '-') }} {{ 5 | replace('5', '6') }} {{ 'a.b' | replace('.', '') }}", "{{ 'abc' | reverse }} {{ [1,2] | reverse | list }} {{ (1,2) | reverse | join }} {{ {'a': 1, 'b': 2} | reverse | list }}", "{{ 2.5 | round }} {{ 3.5 | round }} {{ 2.675 | round(2) }} {{ 1234.5 | round(-2) }} {{ 2.1 | round(method='ceil') }} {{ 2.19 | round(1, 'floor') }} {{ 7 | round }} {{ 1250 | round(-2) }} {{ -2.5 | round }} {{ 1e22 | round(2) }} {{ 0.1 | round(20) }}", "{{ 'x' | round }}",
    "{{ [0, 1, '', 'a'] | select | list }} {{ [1, 2, 3] | select('gt', 1) | list }} {{ [1, 2] | reject('odd') | list }} {{ ['a', 1] | select('string') | list }} {{ [{'a': 1}, {'a': 0}, {}] | selectattr('a') | list }} {{ [{'a': 1}, {}] | rejectattr('a', 'defined') | list }} {{ [{'a': {'b': 2}}] | selectattr('a.b', 'eq', 2) | list }} {{ [1, 2, 3] | select('in', [1, 3]) | list }}", "{{ [1] | select('nosuch') | list }}", "{{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort }} {{ ['b', 'A'] | sort(case_sensitive=true) }} {{ [1, 2] | sort(reverse=true) }} {{ [{'a': 2, 'b': 1}, {'a': 1, 'b': 2}, {'a': 1, 'b': 1}] | sort(attribute='a,b') }} {{ 'cab' | sort }}", "{{ [1, 'a'] | sort }}", "{{ [[2, 'x'], [1, 'y']] | sort }}", "{{ [(1, 'b'), (1, 'a')] | sort(attribute=1) }}",
    "{{ 1.0 | string ~ none | string }} {{ [1] | string | length }}", "{{ '<p>a  b</p> <!-- c --> &lt;d' | striptags }}", "{{ [1, 2.5] | sum }} {{ [{'x': 1}, {'x': 2}] | sum(attribute='x') }} {{ [[1], [2]] | sum(start=[]) }} {{ [1] | sum(start=10) }}", "{{ ['a'] | sum }}", "{{ \"they're bill's friends-from the_UK (abc) 1st\" | title }}", "{{ '  a b\n' | trim }}|{{ 'xxaxx' | trim('x') }}|{{ 5 | trim }}|{{ '\u00a0\u2003a\u3000\x1f' | trim }}|{{ 'abcba' | trim('ab') }}|", "{{ 'hello big world' | truncate(9) }}|{{ 'hello big world' | truncate(9, true) }}|{{ 'hello big world' | truncate(12) }}|{{ 'hello big world' | truncate(12, leeway=0) }}|{{ 'hello' | truncate(3, true, '') }}", "{{ ['a', 'A', 'b'] | unique | list }}{{ ['a', 'A'] | unique(true) | list }}{{ [{'a': 1}, {'a': 1}] | unique(attribute='a') | list }}{{ [1, 1.0, true] | unique | list }}", "{{ 'a b/ü&' | urlencode }}", "{{ 'a b_c  d-e 1' | wordcount }}", "{{ 'abc' | length }}{{ {'a': 1} | count }}{{ 'añ☕' | length }}", "{{ 5 | length }}", "{{ [1] | map('upper') | length }}", "{{ (x for x in y) }}", "{{ 1 | nope if 0 else 2 }}", "{% if 0 %}{{ 1 | nope }}{% endif %}k", "{{ 1 | nope }}", "{{ 1 if 1 is nope else 2 }}", "{{ 'a' | upper | lower | title }}", "{{ 'a' | upper() }}", "{{ 'a' | upper(1) }}", "{{ 'a' | trim(chars='a') }}", "{{ 'a' | trim(foo='a') }}", "{{ {'a': 1} | items | list }}", "{{ [1] | items | list }}", "{{ [1,2] | first }}{{ 'ab' | last }}{{ {'a': 1, 'b': 2} | first }}{{ range(3) | last }}",
    # tojson
    ("{{ x | tojson }}", {"x": {"a": [1, 2.0, None, True, "q\"\\/\b\f\n\r\t\x01\x7fé☕"], "b": {}, "c": []}}), ("{{ x | tojson(indent=2) }}", {"x": {"a": [1, {"b": []}], "c": {"d": "é"}}}), ("{{ x | tojson(indent='\t', sort_keys=true) }}", {"x": {"b": 1, "a": [1]}}), ("{{ x | tojson(ensure_ascii=true) }}", {"x": "é☕😀\x7f"}), ("{{ x | tojson(separators=(',', ':')) }}{{ x | tojson(indent=1, separators=(', ', '=')) }}", {"x": {"a": [1, 2]}}), "{{ (1, 2) | tojson }}{{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }}{{ 1e400 | tojson }}{{ 'a' | safe | tojson }}", "{{ range(3) | tojson }}", "{{ namespace() | tojson }}", "{{ {'a': nope} | tojson }}", "{{ [1, 2] | tojson(indent=0) }}", "{{ {'b': 1, 'a': 2} | dictsort | tojson }}", "{{ {(1, 2): 3} | tojson }}", ("{{ x }}|{{ x | tojson }}", {"x": 1e+20}), ("{{ x }}|{{ x | tojson }}", {"x": [0.1, 1e-7, 123456.789, 1e16]}),
    # tests
    "{{ 3 is odd }}{{ 2 is even }}{{ 9 is divisibleby 3 }}{{ 9 is divisibleby(2) }}{{ 'a' is lower }}{{ 'A1' is upper }}{{ '1' is lower }}{{ 1 is sameas 1 }}{{ none is sameas none }}{{ 'x' is in ['x'] }}{{ 'upper' is filter }}{{ 'odd' is test }}{{ 'q' is filter }}", "{{ 1 is eq(1) }}{{ 1 is == 1 }}", "{{ 2 is gt 1 }}{{ 2 is ge 2 }}{{ 1 is lt 2 }}{{ 1 is le 0 }}{{ 1 is ne 2 }}{{ 3 is greaterthan(2) }}{{ 1 is lessthan 2 }}{{ 'a' is equalto 'a' }}", "{{ x is defined and x is not none }}{{ 1 is not string }}{{ not 1 is string }}{{ 1 is number and 'a' is string }}", "{{ 1 is string is defined }}", "{{ [] is sequence }}{{ {} is sequence }}{{ 'a' is sequence }}{{ range(1) is sequence }}{{ 5 is sequence }}{{ nope is sequence }}{{ {}.keys() is sequence }}{{ nope is iterable }}{{ 5 is iterable }}", "{{ 1.0 is float }}{{ 1 is float }}{{ true is boolean }}{{ 1 is boolean }}{{ false is false }}{{ 0 is false }}{{ none is undefined }}{{ nope is undefined }}{{ nope is none }}{{ range is callable }}{{ 1 is callable }}{{ {} is mapping }}{{ 'a' | safe is escaped }}", "{{ 1 is nosuch }}", "{{ 'a' is odd }}", "{{ 5 is in 5 }}", "{{ [1, 2] is eq [1, 2] }}{{ 4 is divisibleby 2 and true }}{{ 1 is eq 1 or false }}",
    # methods
    "{{ 'a-b-c'.split('-', 1) }}{{ 'a-b-c'.rsplit('-', 1) }}{{ '  a  b c '.split() }}{{ ' a b c '.split(none, 1) }}{{ ' a b c '.rsplit(none, 1) }}{{ 'a b '.split(maxsplit=1) }}{{ ''.split() }}{{ ''.split(',') }}", "{{ 'abc'.split('') }}", "{{ 'a\nb\r\nc\n'.splitlines() }}{{ 'a\nb'.splitlines(true) }}", "{{ 'abcabc'.find('c', 3) }}{{ 'abc'.find('z') }}{{ 'abcabc'.rfind('b') }}{{ 'abc'.index('b') }}{{ 'ñañ'.find('ñ', 1) }}{{ 'aaaa'.count('aa') }}{{ 'abc'.count('') }}{{ 'abcabc'.find('b', -3, -1) }}", "{{ 'abc'.index('z') }}", "{{ 'abc'.startswith(('x', 'a')) }}{{ 'abc'.startswith('b', 1) }}{{ 'abc'.endswith('b', 0, 2) }}{{ 'abc'.endswith('') }}{{ 'abc'.startswith('', 5) }}", "{{ 'abc'.startswith(1) }}", "{{ 'aXbX'.replace('X', '-', 1) }}{{ 'abc'.replace('', '.') }}{{ 'a'.replace('a', 'b').upper() }}", "{{ ','.join(['a', 'b']) }}{{ ''.join([]) }}{{ '-'.join('abc') }}{{ '+'.join({'x': 1, 'y': 2}) }}", "{{ ','.join([1]) }}", "{{ 'a=b=c'.partition('=') }}{{ 'a=b=c'.rpartition('=') }}{{ 'abc'.partition('x') }}{{ 'abc'.rpartition('x') }}", "{{ 'abc'.removeprefix('a') }}{{ 'abc'.removesuffix('c') }}{{ 'abc'.removeprefix('x') }}", "[{{ 'a'.ljust(3) }}][{{ 'a'.rjust(3, '.') }}][{{ 'ab'.center(5, '*') }}][{{ '-5'.zfill(4) }}][{{ 'a\tb'.expandtabs(4) }}]", "{{ 'abc1'.isalnum() }}{{ 'abc'.isalpha() }}{{ '12'.isdigit() }}{{ '½'.isnumeric() }}{{ '²'.isdigit() }}{{ '²'.isdecimal() }}{{ ' '.isspace() }}{{ 'Ab C'.istitle() }}{{ 'a'.islower() }}{{ ''.isupper() }}{{ 'é'.isascii() }}{{ ''.isascii() }}", "{{ 'hello wORLD'.capitalize() }}|{{ \"it's a-b\".title() }}|{{ 'aBc'.swapcase() }}|{{ 'aBc'.casefold() }}", "{{ '{} {}'.format(1, 'a') }}{{ '{1}{0}{x}'.format(1, 2, x=3) }}{{ '{{}}{}'.format(5) }}{{ '{0.a}'.format({'a': 1}) }}", "{{ '{}'.format() }}", "{{ 'abc'.nosuch }}|", "{{ 'abc'.nosuch() }}", "{{ ' x '.strip().upper().lower() }}{{ 'xxaxx'.strip('x') }}{{ 'abc'.lstrip('ab') }}{{ 'abc'.rstrip('bc') }}{{ ' a '.lstrip() }}|", "{{ {'a': 1}.get('b') }}{{ {'a': 1}.get('a') }}{{ {'a': 1}.copy() }}", "{{ {}.get() }}", "{{ {}.get([]) }}", "{{ 'x'.upper is callable }}",
    # functions
    "{{ range(3) }}{{ range(1, 3) }}{{ range(0, 5, 2) }}{{ range(3) | list }}{{ range(5, 0, -2) | list }}{{ range(3) | length }}{{ 2 in range(3) }}", "{{ range(1000000) }}", "{{ range(1, 2, 0) }}", "{{ range('a') }}", "{{ dict(a=1) }}{{ dict({'a': 1}, b=2) }}{{ dict([('x', 1), ['y', 2]]) }}{{ dict() }}", "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.current }}", "{% set j = joiner() %}{{ j() }}a{{ j() }}b{{ j() }}", "{{ raise_exception('no: ' ~ 1) }}", "{{ raise_exception() }}", "{{ strftime_now('%d/%m/%y %I:%M %p %a %b %-d %-m %H%M%S %j %u %w %F %T') }}", "{{ 5() }}", "{{ 'a'() }}", "{{ {'f': 1}.f() }}", "{{ (range)(2) | list }}", "{{ range(*[1, 4]) | list }}",
    # syntax that is wrong
    "{{ 1 + }}", "{{ (1 }}", "{{ 1) }}", "{% for %}", "{% for x in %}{% endfor %}", "{% endif %}", "{% if 1 %}", "{% if 1 %}{% endfor %}", "{{ 'abc }}", "{{ a b }}", "{{ a. }}", "{{ a | }}", "{{ a is }}", "{% set %}", "{% set 1 = 2 %}", "{% set true = 1 %}", "{% nosuch %}", "{# a", "{% raw %}a", "{{", "{%", "{{ }}", "{% if %}{% endif %}", "{{ a[ }}", "{{ [1, 2 }}", "{{ {1: } }}", "{{ {1} }}", "{{ ! }}", "{{ a ? b : c }}", "{{ 1 2 }}", "{{ f(a=1, 2) }}", "{{ f(a=1, a=2) }}", "{{ a if b else }}", "{% else %}", "{% macro %}{% endmacro %}", "{% macro f %}{% endmacro %}", "{% call %}{% endcall %}", "{{ '\\x1' }}", "{{ '\\u12' }}", "{{ a.b.c.d }}", "{{ 1 is 1 }}", "{% with 1 = 2 %}{% endwith %}", "{% generation %}", "{% endgeneration %}", "}} %} #} } { %", "{{ '#}' }}{# a #}", "{ { 1 } }", "{{ 1}}}", "{% if 1 %}}{% endif %}",
    # generation
    ("{% for m in messages %}{{ m.role }}:{% generation %}{{ m.content }}{% endgeneration %};{% endfor %}", {"messages": TALK}), ("{% for m in messages %}{% if m.role == 'assistant' %}<a>{% generation %}{{ m.content | trim }}</a>{% endgeneration %}{% else %}{{ m.content | trim }}{% endif %}{% endfor %}", {"messages": TALK}), "{% generation %}{% endgeneration %}a{% generation %}b{% endgeneration %}{% generation %}c{% endgeneration %}", "{% set x %}a{% generation %}b{% endgeneration %}{% endset %}z{{ x }}", "{% macro f(t) %}{% generation %}{{ t }}{% endgeneration %}{% endmacro %}é{{ f('☕') }}{{ f('x') }}", "{% generation %}{% set x = 1 %}{{ x }}{% endgeneration %}[{{ x }}]", "{% for x in [1, 2] %}{%- generation -%} {{ x }} {%- endgeneration -%} , {% endfor %}", "{% filter upper %}a{% generation %}b{% endgeneration %}{% endfilter %}",
    # conversations
    ("{% for m in messages %}{{ '<' ~ m['role'] ~ '>' ~ m['content'] | trim ~ '</>' }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}", {"messages": TALK, "add_generation_prompt": True}), ("{{ messages | map(attribute='role') | unique | join(',') }} {{ messages[1:] | length }} {{ (messages | last).content[3:9] }} {{ messages | selectattr('role', 'in', ['user', 'assistant']) | list | length }}", {"messages": TALK}), ("{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{{ ns.last }}", {"messages": TALK}), ("{% for m in messages[::-1] %}{{ m.role[0] }}{{ loop.index }}{% endfor %}", {"messages": TALK}), ("{% if messages[0].role == 'system' %}{% set sys = messages[0].content %}{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}{{ sys }}{{ rest | length }}", {"messages": TALK}),
]


def unmark(text):
    out, spans, start = [], [], None
    for character in text:
        if character == LEFT:
            start = len(out)
        elif character == RIGHT:
            spans.append([start, len(out)])
        else:
            out.append(character)
    return "".join(out), spans


def expect(source, context):
    try:
        text, spans = unmark(ENVIRONMENT.from_string(source).render(**copy.deepcopy(context)))
    except Exception as problem:  # whatever Python raises, a renderer has to fail there
        error = {"type": type(problem).__name__}
        if error["type"] == "TemplateError":
            error["message"] = problem.message
        return {"error": error}
    return {"rendered": text, "generation_spans": spans} if spans else {"rendered": text}


def main():
    rows = []
    for case in CASES:
        source, context = case if isinstance(case, tuple) else (case, {})
        row = {"template": source, **({"context": context} if context else {}), **expect(source, context)}
        assert " object at 0x" not in row.get("rendered", "") and "<function" not in row.get("rendered", ""), source
        rows.append(json.dumps(row, ensure_ascii=True))
    text = "[\n" + ",\n".join(rows) + "\n]\n"
    if "--check" in sys.argv:
        assert TARGET.read_text() == text, "the fixtures are not what this script writes"
    else:
        TARGET.write_text(text)
    print(len(rows), "constructs,", sum('"error"' in row for row in rows), "of them errors")


if __name__ == "__main__":
    main()
