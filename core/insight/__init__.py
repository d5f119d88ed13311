"""What the dashboards show: figures with their definitions and the rows behind them.

A board (`core.insight.kpi.Board`) is a module of its own that knows where its facts come from. How one is added:

1. `core/insight/<board>.py` has a class of facts: made of (`Sources`, `Asked`), it reads what it needs once, lazily
   (`functools.cached_property`), for the days asked for and as many before (`asked.window`).
2. Each figure is a `Kpi`: `items(facts, span)` gives the items that it is about, `measure(item)` what one of them adds
   (None: it does not count), `total` makes one number of all that. Rows are the very items that were counted, each with
   what it added, so that whoever opens a figure can add it up again.
3. A chart is a `Breakdown` of such figures along one or two axes (`Axis`), or a `Custom` one that builds itself. What
   a point of a breakdown shows is a figure too, of the items at that point.
4. Name, unit, definition, direction and aim stand in data/insight/kpis.yaml; a figure without a definition is refused
   when the file is read against the registry (`core.insight.boards.check`).
5. The board's factory joins `core.insight.boards.BOARDS`.

Figures never mix what the bot did with what people did.
"""
