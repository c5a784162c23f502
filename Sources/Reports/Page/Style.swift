extension HTML {
  /// The look of a page. Colours of series: after Okabe and Ito (2008), told apart by people with any kind of colour
  /// vision; darkened for light ground and lightened for dark ground until text in them is legible.
  static let style = """
    :root {
      --page: #ffffff; --ground: #f6f7f9; --ink: #1b1f24; --soft: #5b6570; --rule: #dfe3e8; --grid: #e9ecf0;
      --good: #00714f; --bad: #b03a00; --accent: #0068a8;
      --s0: #0068a8; --s1: #c24e00; --s2: #00805a; --s3: #a8458a; --s4: #8a6500; --s5: #3d5bd0; --s6: #6b6f76; --s7: #b3203a;
    }
    @media screen and (prefers-color-scheme: dark) {
      :root {
        --page: #14171b; --ground: #1d2126; --ink: #e8eaed; --soft: #a2abb5; --rule: #343a42; --grid: #282d34;
        --good: #4fd0a0; --bad: #ff9a63; --accent: #6db9f2;
        --s0: #63b4f0; --s1: #ff9152; --s2: #45cf9f; --s3: #e79ccd; --s4: #e6bd4f; --s5: #9db1ff; --s6: #b4bac2; --s7: #ff8fa3;
      }
    }
    * { box-sizing: border-box; }
    html { -webkit-text-size-adjust: 100%; }
    body {
      margin: 0; background: var(--page); color: var(--ink);
      font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
    }
    main { max-width: 48rem; margin: 0 auto; padding: 3rem 1.25rem 4rem; }
    header { margin-bottom: 2.25rem; }
    h1 { font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.015em; margin: 0; text-wrap: balance; }
    h2 { font-size: 1.2rem; line-height: 1.3; margin: 0 0 0.75rem; }
    section { margin: 2.75rem 0 0; }
    p { margin: 0 0 0.9rem; max-width: 40rem; text-wrap: pretty; }
    .subtitle { color: var(--soft); font-size: 1.05rem; margin: 0.5rem 0 0; }
    .note, footer { color: var(--soft); font-size: 0.875rem; }
    footer { margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--rule); }

    .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 0.75rem; margin: 0 0 1.5rem; }
    .figures > div { background: var(--ground); border-radius: 0.6rem; padding: 0.9rem 1rem; display: flex; flex-direction: column; }
    .figure-name { color: var(--soft); font-size: 0.85rem; }
    .figure-value { font-size: 1.55rem; line-height: 1.3; font-weight: 650; font-variant-numeric: tabular-nums; letter-spacing: -0.01em; white-space: nowrap; }
    .figure-note { color: var(--soft); font-size: 0.8rem; }

    .scroll { overflow-x: auto; margin: 0 0 1.25rem; }
    table { border-collapse: collapse; width: 100%; font-size: 0.925rem; font-variant-numeric: tabular-nums; }
    th { text-align: left; font-weight: 600; color: var(--soft); font-size: 0.825rem; vertical-align: bottom; border-bottom: 1px solid var(--soft); }
    th, td { padding: 0.45rem 0.75rem; }
    th:first-child, td:first-child { padding-left: 0; }
    th:last-child, td:last-child { padding-right: 0; }
    td { border-bottom: 1px solid var(--grid); white-space: nowrap; }
    .stack td { vertical-align: top; }
    td.text { white-space: normal; overflow-wrap: break-word; }
    tr.rule td { border-top: 1.5px solid var(--soft); }
    .right { text-align: right; }
    .strong { font-weight: 650; }
    .good { color: var(--good); font-weight: 600; }
    .bad { color: var(--bad); font-weight: 600; }
    .faint { color: var(--soft); }

    dl { margin: 0 0 1.25rem; font-size: 0.925rem; }
    dl > div { display: grid; grid-template-columns: 11rem 1fr; gap: 1rem; padding: 0.4rem 0; border-bottom: 1px solid var(--grid); }
    dt { color: var(--soft); }
    dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
    pre {
      background: var(--ground); border-radius: 0.6rem; padding: 0.9rem 1rem; margin: 0 0 1.25rem; overflow-x: auto;
      font: 0.85rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
    }
    .passage { white-space: pre-wrap; overflow-wrap: anywhere; }
    mark { background: none; color: var(--good); text-decoration: underline; text-underline-offset: 0.2em; font-weight: 600; }
    details { margin: 0 0 1.25rem; }
    summary { cursor: pointer; color: var(--accent); margin-bottom: 0.75rem; }

    figure { margin: 0 0 1.75rem; }
    figure + .note, .scroll + .note { margin-top: -0.9rem; }
    figcaption { font-weight: 600; margin-bottom: 0.6rem; }
    .plot { display: block; width: 100%; height: auto; overflow: visible; }
    .plot.narrow { display: none; }
    .plot text { font-family: inherit; font-size: 12px; fill: var(--ink); font-variant-numeric: tabular-nums; }
    .plot .tick { fill: var(--soft); }
    .plot .axis-title { fill: var(--soft); font-size: 12.5px; }
    .plot .label { font-size: 13px; font-weight: 600; fill: var(--c); paint-order: stroke; stroke: var(--page); stroke-width: 3.5px; stroke-linejoin: round; }
    .plot .bar-label { font-size: 13px; }
    .plot .group-title { font-size: 13px; font-weight: 650; }
    .plot .value { fill: var(--soft); paint-order: stroke; stroke: var(--page); stroke-width: 3px; }
    .grid { stroke: var(--grid); stroke-width: 1; }
    .axis { stroke: var(--soft); stroke-width: 1; }
    .guide { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 4; }
    .leader { stroke: var(--soft); stroke-width: 0.75; }
    .mark { fill: var(--c); stroke: var(--page); stroke-width: 1.5; }
    .mark.base { fill: var(--page); stroke: var(--ink); stroke-width: 2; }
    .whisker { stroke: var(--c); stroke-width: 1.5; opacity: 0.55; }
    .join { fill: none; stroke: var(--c); stroke-width: 1.5; opacity: 0.5; }
    .arrow { stroke: var(--c); stroke-width: 1.25; opacity: 0.32; }
    .arrow-head { fill: var(--c); opacity: 0.55; }
    .curve { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
    .curve.again { stroke-dasharray: 7 4; }
    .faint-curve { fill: none; stroke: var(--c); stroke-width: 1; opacity: 0.3; stroke-linejoin: round; }
    .band { fill: var(--c); opacity: 0.15; }
    .bar { fill: var(--c); }
    .cell { fill: var(--grid); }
    .frame { fill: none; stroke: var(--ink); stroke-width: 1.5; }
    .bar-whisker { stroke: var(--ink); stroke-width: 1.25; opacity: 0.7; }
    .base { --c: var(--ink); }
    .s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); }
    .s4 { --c: var(--s4); } .s5 { --c: var(--s5); } .s6 { --c: var(--s6); } .s7 { --c: var(--s7); }

    @media screen and (max-width: 34rem) {
      main { padding: 1.75rem 1rem 3rem; }
      h1 { font-size: 1.55rem; }
      .figures { grid-template-columns: 1fr 1fr; }
      .figure-value { font-size: 1.25rem; }
      dl > div { grid-template-columns: 1fr; gap: 0; }
      table { font-size: 0.875rem; }
      th, td { padding: 0.4rem 0.35rem; }
      th:first-child, td:first-child { position: sticky; left: 0; background: var(--page); }
      .stack thead { display: none; }
      .stack, .stack tbody, .stack tr { display: block; }
      .stack tr { border-bottom: 1px solid var(--grid); padding: 0.6rem 0; }
      .stack td { display: grid; grid-template-columns: 7.5rem 1fr; gap: 0.75rem; position: static; border: 0; padding: 0.1rem 0; }
      .stack td::before { content: attr(data-title); color: var(--soft); font-weight: 400; }
      .plot.wide { display: none; }
      .plot.narrow { display: block; }
    }
    @page { margin: 1.6cm; }
    @media print {
      body { font-size: 10.5pt; }
      main { max-width: none; padding: 0; }
      section { margin-top: 1.5rem; }
      figure, table, .figures, dl > div { break-inside: avoid; }
      h2, figcaption { break-after: avoid; }
      .plot { max-width: 15cm; }
      details > summary { list-style: none; }
      .figures > div, pre { border: 1px solid var(--rule); }
      * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
    }
    """
}
