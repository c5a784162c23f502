#!/usr/bin/env python3
"""Takes a plot out of a report's page, as a file of its own that documents can show, light and dark.

usage: Scripts/page_plot.py PAGE.html TITLE[#N] OUT.svg      (the N-th plot of that title, from 1; default 1)"""
import html, re, sys

if len(sys.argv) != 4:
    sys.exit(__doc__)
page, title, out = sys.argv[1:4]
title, _, number = title.partition("#")
text = open(page, encoding="utf-8").read()
style = re.search(r"<style>(.*?)</style>", text, re.S).group(1)
wide = [(html.unescape(m.group(1)), m.group(0)) for m in re.finditer(r'<svg class="plot wide"[^>]*aria-label="([^"]*)".*?</svg>', text, re.S)]
found = [svg for name, svg in wide if name.startswith(title)]
if not 1 <= int(number or 1) <= len(found):
    sys.exit(f"{page} has no such plot; there are: " + "; ".join(dict.fromkeys(name for name, _ in wide)))
# Colours, and what a plot is made of; the rest of the sheet is the page's.
colours = style[:style.index("* {")]
marks = style[style.index(".plot text"):style.index("@media screen and (max-width")].replace(".plot ", "")
sheet = f"<style>{colours}svg {{ font-family: system-ui, sans-serif; background: var(--page); }}\n{marks}</style>"
svg = found[int(number or 1) - 1].replace('class="plot wide"', 'xmlns="http://www.w3.org/2000/svg"', 1)
open(out, "w", encoding="utf-8").write(re.sub(r"(<svg[^>]*>)", lambda m: m.group(1) + sheet, svg, count=1) + "\n")
