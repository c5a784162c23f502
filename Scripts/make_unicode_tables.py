#!/usr/bin/env python3
"""Writes Sources/Tokenizers/Unicode/DecompositionTable.swift: how scalars decompose.

    python3 Scripts/make_unicode_tables.py

Swift's standard library knows combining classes and composition exclusions, but not the decompositions
themselves, and FoundationEssentials does not normalize. Takes the tables of the Python that runs it.
"""
import pathlib
import textwrap
import unicodedata


def main():
    canonical, compatible = [], []
    for value in range(0x110000):
        scalar = chr(value)
        if 0xAC00 <= value <= 0xD7A3 or 0xD800 <= value < 0xE000:
            continue  # Hangul syllables follow a rule; surrogates are no scalars.
        canonically = unicodedata.normalize("NFD", scalar)
        compatibly = unicodedata.normalize("NFKD", scalar)
        entry = lambda parts: f"{value:X} " + " ".join(f"{ord(c):X}" for c in parts)
        if canonically != scalar:
            canonical.append(entry(canonically))
        if compatibly != canonically:
            compatible.append(entry(compatibly))

    def literal(name, comment, entries):
        lines = textwrap.wrap(";".join(e.replace(" ", "\u00a0") for e in entries).replace(";", "; "), 112)
        body = "\n".join("    " + line.replace("\u00a0", " ").replace("; ", ";") for line in lines)
        return f'  /// {comment}\n  static let {name}: StaticString = """\n{body}\n    """\n'

    text = f"""// Written by Scripts/make_unicode_tables.py from Unicode {unicodedata.unidata_version}; change the script, not this file.

/// Full decompositions in hexadecimal: the scalar, then what it becomes; entries end with a semicolon or a line.
enum DecompositionTable {{
{literal("canonical", "Canonical ones, Hangul syllables left out.", canonical)}
{literal("compatible", "Compatibility ones where they differ from the canonical.", compatible)}}}
"""
    path = pathlib.Path(__file__).resolve().parent.parent / "Sources/Tokenizers/Unicode/DecompositionTable.swift"
    path.write_text(text, encoding="ascii")
    print(len(canonical), len(compatible), path.stat().st_size)


if __name__ == "__main__":
    main()
