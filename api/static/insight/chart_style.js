/* What all charts have in common: colours that can be told apart (3 : 1 on white), letters, axes, and the tooltip, which
   is drawn on the canvas itself: so no markup is ever made from what the server sends. */
const COLOURS = ["#00706b", "#c26a00", "#3d5fa8", "#8d3f80", "#6f7d1c", "#a93c3c", "#4d7c94", "#5f5f5f"];
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "pin", "roundRect"];
const LETTERS = 'system-ui, -apple-system, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';
const INK = "#16302e";
const SOFT = "#4b605e";
const HAIR = "#dfe8e6";
const HEAT = ["#edf5f4", "#a9d3ce", "#5aa8a1", "#1f7f79", "#00524e"];

/* What is a little, more, most of one thing is one colour growing darker; what is too little is not of it. */
const GRADES = ["#c26a00", "#8fc1bb", "#3f938c", "#00524e"];
const GRADED = new Set(["confidence_bands"]);
const colourOf = (i) => COLOURS[i % COLOURS.length];

/* ECharts clears its own boxes by innerHTML = "": that, and nothing else, is let through. */
if (globalThis.trustedTypes?.createPolicy) {
  trustedTypes.createPolicy("default", { createHTML: (text) => (text === "" ? "" : null) });
}

const tooltip = (more = {}) => ({
  renderMode: "richText", confine: true, backgroundColor: "#fff", borderColor: "#9fcbc6", borderWidth: 1, padding: [8, 12],
  textStyle: { color: INK, fontSize: 13, fontFamily: LETTERS }, ...more,
});

/* Many names stand closer together: paper has no second page of a legend. */
const MANY_NAMES = { itemWidth: 11, itemGap: 8, textStyle: { color: INK, fontSize: 11.5 } };
const legendOf = (names) => (names.length > 1 ? { type: "scroll", top: 0, left: 0, itemWidth: 14, itemHeight: 9, itemGap: 14, icon: "roundRect", pageIconSize: 10, textStyle: { color: INK, fontSize: 12 }, data: names, ...(names.length > 4 && MANY_NAMES) } : { show: false });

const gridOf = (legend, more = {}) => ({ left: 4, right: 14, top: legend ? 34 : 14, bottom: 4, containLabel: true, ...more });

const categoryAxis = (labels, more = {}) => ({
  type: "category", data: labels, axisTick: { show: false }, axisLine: { lineStyle: { color: "#8aa09d" } },
  axisLabel: { color: SOFT, fontSize: 12, hideOverlap: true, formatter: shortLabel }, ...more,
});

/* What is counted has no half steps. */
const valueAxis = (unit, more = {}) => ({
  type: "value", splitNumber: 4, axisLabel: { color: SOFT, fontSize: 12, formatter: (value) => tickOf(value, unit) },
  splitLine: { lineStyle: { color: HAIR } }, ...more,
});

/* The words of a tooltip: the label, then a line a series. */
const axisTip = (chart) => tooltip({
  trigger: "axis", axisPointer: { type: "shadow", shadowStyle: { color: "rgba(0,112,107,.08)" } },
  formatter: (all) => [labelWords(all[0].axisValue ?? all[0].name), ...all.map((one) => one.marker + one.seriesName + "  " + amountOf(pointOf(one.value), unitOf(chart, one.seriesIndex)))].join("\n"),
});

const labelWords = (label) => (ISO_DAY.test(label) ? dayWords(label) : String(label));
const pointOf = (value) => (Array.isArray(value) ? value[value.length - 1] : value);
const unitOf = (chart, i) => chart.series?.[i]?.unit || chart.unit || "";
const nameOf = (one) => (typeof one === "object" && one !== null ? one.name ?? one.key : one);
