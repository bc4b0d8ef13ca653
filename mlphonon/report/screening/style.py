"""How the page looks, on a screen of any width and on paper."""

from __future__ import annotations

from mlphonon.report.panels import INK

CSS = f"""
:root {{ color-scheme: light; --quiet: #595f69; --line: #d5d9de; --pale: #f4f5f7 }}
* {{ box-sizing: border-box }}
body {{
  max-width: 66rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; background: white; color: {INK};
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
  overflow-wrap: anywhere;
}}
h1 {{ font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem }}
h2 {{
  font-size: 1.25rem; line-height: 1.3; margin: 2.5rem 0 .5rem; padding-top: .75rem;
  border-top: 1px solid var(--line);
}}
h3 {{ font-size: 1rem; margin: 1.5rem 0 .25rem }}
p, ul {{ margin: .5rem 0 }}
ul {{ padding-left: 1.25rem }}
small, figcaption, .quiet {{ font-size: .85em; color: var(--quiet) }}
code, pre {{ font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9em }}
pre {{ white-space: pre-wrap; margin: .5rem 0; padding: .5rem; background: var(--pale) }}
img {{ display: block; max-width: 100%; height: auto }}
figure {{ margin: 0; break-inside: avoid }}
figcaption {{ margin-top: .25rem; line-height: 1.35 }}
sub {{ line-height: 0; font-size: .75em }}
.counts {{ display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0 }}
.counts div {{ display: flex; flex-direction: column-reverse }}
.counts dt {{ font-size: .85rem; color: var(--quiet) }}
.counts dd {{ margin: 0; font-size: 1.5rem; line-height: 1.2; font-variant-numeric: tabular-nums }}
.grid {{
  display: grid; gap: 1.5rem 1.25rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr));
}}
.scroll {{ overflow-x: auto; margin: .5rem 0 }}
.scroll img {{ min-width: 44rem; margin: 0 auto }}
table {{ border-collapse: collapse; width: 100%; font-size: .9rem; line-height: 1.35 }}
th, td {{
  padding: .35rem .75rem .35rem 0; text-align: left; vertical-align: top; overflow-wrap: normal;
  border-bottom: 1px solid var(--line);
}}
thead th {{ vertical-align: bottom; border-bottom: 2px solid {INK} }}
tbody th {{ font-weight: 600; min-width: 9rem }}
th small {{ font-weight: 400 }}
.number {{ text-align: right; font-variant-numeric: tabular-nums }}
tbody .number {{ white-space: nowrap }}
th:last-child, td:last-child {{ padding-right: 0 }}
summary {{ cursor: pointer }}
@media print {{
  @page {{ margin: 1.5cm }}
  html {{ font-size: 9.5pt }}
  body {{ max-width: none; padding: 0 }}
  h2, h3, h2 + p {{ break-after: avoid }}
  tr {{ break-inside: avoid }}
  thead {{ display: table-header-group }}
  .grid {{ grid-template-columns: repeat(3, 1fr); gap: .75rem }}
  .scroll {{ overflow: visible }}
  .scroll img {{ min-width: 0 }}
  details {{ display: none }}
}}
"""
