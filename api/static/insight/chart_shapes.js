/* The options of ECharts for shapes: the tree of rules, the schematic map of areas, and moves between segments. */
function leavesOf(node) {
  return node.children?.length ? node.children.reduce((sum, one) => sum + leavesOf(one), 0) : 1;
}

const withWords = (node, unit) => ({
  name: node.name, value: node.value, note: node.note, key: node.key, children: node.children?.map((one) => withWords(one, unit)),
  label: node.children?.length ? undefined : { fontWeight: 600 },
});

function treeOption(chart) {
  const words = (node) => node.name + (node.value === null || node.value === undefined ? "" : (node.children?.length ? "\n" : "　") + amountOf(node.value, chart.unit));
  return {
    tooltip: tooltip({ formatter: ({ data }) => [data.name, data.note, data.value === undefined ? "" : amountOf(data.value, chart.unit)].filter(Boolean).join("\n") }),
    series: [{
      type: "tree", data: [withWords(chart.root, chart.unit)], left: 90, right: 200, top: 8, bottom: 8, orient: "LR", edgeShape: "polyline", edgeForkPosition: "40%", initialTreeDepth: -1,
      expandAndCollapse: false, roam: false, symbol: "roundRect", symbolSize: 9, lineStyle: { color: "#8fb3af", width: 1.4 },
      label: { position: "top", distance: 3, color: INK, fontSize: 12, lineHeight: 16, width: 160, overflow: "break", formatter: ({ data }) => words(data) },
      leaves: { label: { position: "right", align: "left", verticalAlign: "middle", width: 190, overflow: "break" } },
    }],
  };
}

/* Areas where they lie to each other, not as a map would draw them: size and colour by value, the words beside. */
function mapOption(chart) {
  const most = Math.max(1, ...chart.areas.map((area) => area.value || 0));
  const still = !chart.areas.some((area) => area.value); /* nothing to tell apart by colour */
  const [xs, ys] = ["x", "y"].map((name) => chart.areas.map((area) => area[name]));
  const room = (values) => (Math.max(...values) - Math.min(...values) || 1) * 0.14;
  const axis = (values, more) => ({ type: "value", show: false, min: Math.min(...values) - room(values), max: Math.max(...values) + room(values), ...more });
  return {
    tooltip: tooltip({ formatter: ({ data }) => [data.name, amountOf(data.value[2], chart.unit), data.note].filter(Boolean).join("\n") }),
    grid: { left: 30, right: 30, top: 16, bottom: still ? 16 : 56 }, xAxis: axis(xs), yAxis: axis(ys, { inverse: true }),
    visualMap: { show: !still, min: 0, max: most, dimension: 2, orient: "horizontal", left: "center", bottom: 0, itemWidth: 10, itemHeight: 120, text: [amountOf(most, chart.unit), "0"], textStyle: { color: SOFT, fontSize: 12 }, inRange: { color: HEAT.slice(1) } },
    series: [{
      type: "scatter", symbol: "roundRect", symbolSize: (value) => 14 + 34 * Math.sqrt((value[2] || 0) / most), data: chart.areas.map((area) => ({ name: area.name, key: area.key, note: area.note, value: [area.x, area.y, area.value || 0] })),
      label: { show: true, position: "bottom", color: INK, fontSize: 12, formatter: ({ data }) => data.name + "  " + amountOf(data.value[2], chart.unit) }, labelLayout: { hideOverlap: true },
      itemStyle: { borderColor: "#5b6d6b", borderWidth: 1 },
    }],
  };
}

/* Where the nodes of one column end and the same names begin anew they have keys of their own. */
function sankeyOption(chart) {
  const idOf = (node) => node.key ?? node.name;
  const names = new Map(chart.nodes.map((node) => [idOf(node), node.name]));
  const order = [...new Set(names.values())];
  return {
    tooltip: tooltip({ formatter: ({ data, dataType, value }) => (dataType === "edge" ? names.get(data.source) + " → " + names.get(data.target) : names.get(data.name)) + "\n" + amountOf(value, chart.unit) }),
    series: [{
      type: "sankey", left: 4, right: 110, top: 10, bottom: 10, nodeWidth: 14, nodeGap: 12, draggable: false, layoutIterations: 0,
      data: chart.nodes.map((node) => ({ name: idOf(node), depth: node.depth, itemStyle: { color: colourOf(order.indexOf(node.name)) } })),
      links: chart.links.map((link) => ({ source: link.source, target: link.target, value: link.value })),
      label: { color: INK, fontSize: 12, formatter: ({ name }) => names.get(name) }, lineStyle: { color: "gradient", opacity: 0.32 },
    }],
  };
}

const OPTIONS = { line: lineOption, bar: barOption, stack: barOption, share: shareOption, heat: heatOption, scatter: scatterOption, tree: treeOption, map: mapOption, sankey: sankeyOption };

/* How high a chart wants to be; trees and lying bars by what they hold. */
function heightOf(chart) {
  if (chart.kind === "tree") return Math.max(240, leavesOf(chart.root) * 46 + 30);
  if (liesDown(chart)) return Math.max(200, Math.min(chart.x.length, MOST_BARS) * 27 + (chart.series.length > 1 ? 70 : 46));
  return { heat: 262, map: 340, sankey: 320, share: 210 }[chart.kind] || 236;
}

/* The class that gives a drawing its height, and what paper takes of it (see the style sheets); its rule is written
   when it is first asked for, for the policy lets no style stand in the markup. */
const ON_PAPER = { tree: 0.9, heat: 0.8 };
const heights = new Set();
function tall(chart) {
  const [height, paper] = [heightOf(chart), ON_PAPER[chart.kind] || 0.66];
  const name = "tall-" + height + "-" + paper * 100;
  if (!heights.has(name)) {
    const [sheet] = document.styleSheets;
    sheet.insertRule("." + name + " { --tall: " + height + "px; --paper: " + paper + "; }", sheet.cssRules.length);
    heights.add(name);
  }
  return name;
}

const hasNothing = (chart) => Boolean(chart.empty) || (chart.kind === "table" && !chart.lines?.length) || (chart.kind === "map" && !chart.areas?.length) || (chart.kind === "sankey" && !chart.links?.length) || (chart.kind === "tree" && !chart.root);
