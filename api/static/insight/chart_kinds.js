/* The options of ECharts by the kind of a chart: lines, bars, stacks, parts of a whole, heat, points. */
const seriesNames = (chart) => chart.series.map((one) => one.name);

/* Ticks of time at whole minutes or hours, of shares not beyond a hundred per cent. */
const STEPS = [5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800];
function steps(chart) {
  const values = chart.series.filter((one) => !axisIndex(chart, one)).flatMap((one) => one.data.map(pointOf)).filter((value) => typeof value === "number");
  const most = Math.max(0, ...values);
  if (chart.unit === "seconds" || chart.unit === "秒") {
    const interval = STEPS.find((step) => most / step <= 5) || 604800;
    return { interval, max: Math.max(1, Math.ceil(most / interval)) * interval };
  }
  if ((chart.unit === "share" || chart.unit === "%") && most <= 1 && most > 0.6) return { max: 1, interval: 0.25 };
  return { minInterval: values.every(Number.isInteger) ? 1 : 0 };
}

/* A second axis where a series counts in another unit than the chart, e.g. a share beside numbers. */
function axesOf(chart, lying) {
  const other = chart.series.findIndex((one) => one.unit && one.unit !== chart.unit);
  const first = valueAxis(chart.unit, steps(chart));
  if (other < 0) return [first];
  return [first, valueAxis(chart.series[other].unit, { ...(WRITTEN[chart.series[other].unit] === shareWords ? { min: 0, max: 1, interval: 0.25 } : {}), splitLine: { show: false }, position: lying ? "top" : "right" })];
}

const axisIndex = (chart, one) => (one.unit && one.unit !== chart.unit ? 1 : 0);

function lineOption(chart) {
  return {
    legend: legendOf(seriesNames(chart)), grid: gridOf(chart.series.length > 1, { right: 26 }), tooltip: axisTip(chart),
    xAxis: categoryAxis(chart.x, { boundaryGap: false }), yAxis: axesOf(chart),
    series: chart.series.map((one, i) => ({
      name: one.name, type: "line", data: one.data, yAxisIndex: axisIndex(chart, one), symbol: SYMBOLS[i % SYMBOLS.length], symbolSize: chart.x.length > 40 ? 0 : 7,
      lineStyle: { width: 2.2, type: i % 2 ? "dashed" : "solid" }, connectNulls: false,
    })),
  };
}

/* Long labels lie, so that they can be read. */
const liesDown = (chart) => chart.kind === "bar" && chart.x.some((label) => !ISO_DAY.test(label) && String(label).length > 4) && chart.x.length > 3;

/* Of a long list the first ones are drawn; the table has all. */
const MOST_BARS = 12;
const hiddenBars = (chart) => (liesDown(chart) ? Math.max(0, chart.x.length - MOST_BARS) : 0);
const firstBars = (chart) => (hiddenBars(chart) ? { ...chart, x: chart.x.slice(0, MOST_BARS), series: chart.series.map((one) => ({ ...one, data: one.data.slice(0, MOST_BARS) })) } : chart);

/* A series that is nothing but zeros beside others takes no room from them; the table has it. */
const isZero = (one) => one.data.every((value) => !value);
const withoutZeros = (chart) => (chart.kind === "bar" && chart.series.length > 1 && !chart.series.every(isZero) ? { ...chart, series: chart.series.filter((one) => axisIndex(chart, one) || !isZero(one)) } : chart);

function barOption(whole) {
  const chart = withoutZeros(firstBars(whole));
  const lying = liesDown(chart);
  const stack = chart.kind === "stack" ? "all" : undefined;
  const shares = chart.series.filter((one) => axisIndex(chart, one));
  const labels = categoryAxis(chart.x, lying ? { inverse: true, axisLabel: { color: INK, fontSize: 12.5, width: 150, overflow: "truncate", interval: 0 } } : {});
  const axes = axesOf(chart, lying);
  return {
    ...(GRADED.has(chart.key) && { color: GRADES }), legend: legendOf(seriesNames(chart)), grid: gridOf(chart.series.length > 1, lying ? { right: 44 } : chart.series.length > 1 ? {} : { top: 26 }), tooltip: axisTip(chart),
    ...(lying ? { xAxis: axes, yAxis: labels } : { xAxis: labels, yAxis: axes }),
    series: chart.series.map((one, i) => {
      const beside = shares.includes(one) && chart.series.length > 1;
      const axis = { [lying ? "xAxisIndex" : "yAxisIndex"]: axisIndex(chart, one) };
      if (beside) return { name: one.name, type: lying ? "scatter" : "line", data: one.data, ...axis, symbol: "diamond", symbolSize: 13, z: 5, itemStyle: { opacity: 1, borderColor: "#fff", borderWidth: 1.5 } };
      return {
        name: one.name, type: "bar", data: one.data, stack, ...axis, barMaxWidth: 26, itemStyle: { borderRadius: stack ? 0 : lying ? [0, 3, 3, 0] : [3, 3, 0, 0] },
        label: { show: !stack && chart.series.length === 1 && chart.x.length <= 24, position: lying ? "right" : "top", color: INK, fontSize: 12, formatter: ({ value }) => (value === null || (value === 0 && WRITTEN[unitOf(chart, i)] !== shareWords) ? "" : tickOf(value, unitOf(chart, i))) }, /* no share is a finding, nothing counted is not */
      };
    }),
  };
}

/* One whole: a ring. Several: bars of a hundred per cent. */
function shareOption(chart) {
  return chart.series.length === 1 ? ringOption(chart) : wholeBars(chart);
}

function ringOption(chart) {
  const [one] = chart.series;
  const parts = chart.x.map((name, i) => ({ name: String(name), value: one.data[i] })).filter((part) => part.value);
  const all = parts.reduce((sum, part) => sum + part.value, 0);
  const share = (name) => parts.find((part) => part.name === name);
  return {
    tooltip: tooltip({ trigger: "item", formatter: (part) => part.marker + part.name + "  " + amountOf(part.value, chart.unit) + "，占 " + amountOf(part.value / all, "%") }),
    legend: { type: "scroll", orient: "vertical", left: "52%", top: "middle", itemWidth: 12, itemHeight: 12, itemGap: 10, textStyle: { color: INK, fontSize: 12.5, lineHeight: 18 }, formatter: (name) => name + "  " + amountOf(share(name).value, chart.unit) + "  " + amountOf(share(name).value / all, "%") },
    series: [{ type: "pie", radius: ["46%", "76%"], center: ["26%", "50%"], data: parts, label: { show: false }, itemStyle: { borderColor: "#fff", borderWidth: 2 } }],
  };
}

function wholeBars(chart) {
  const sums = chart.x.map((_, i) => chart.series.reduce((sum, one) => sum + (one.data[i] || 0), 0));
  return {
    legend: legendOf(seriesNames(chart)), grid: gridOf(true, { right: 20 }),
    tooltip: tooltip({ trigger: "axis", axisPointer: { type: "shadow" }, formatter: (all) => [labelWords(all[0].axisValue), ...all.map((part) => part.marker + part.seriesName + "  " + amountOf(chart.series[part.seriesIndex].data[part.dataIndex], chart.unit) + "，" + amountOf(part.value, "%"))].join("\n") }),
    xAxis: valueAxis("%", { max: 1 }), yAxis: categoryAxis(chart.x, { inverse: true, axisLabel: { color: INK, fontSize: 12.5, formatter: shortLabel } }),
    series: chart.series.map((one) => ({
      name: one.name, type: "bar", stack: "all", barMaxWidth: 26, data: one.data.map((value, i) => (sums[i] ? (value || 0) / sums[i] : 0)),
      label: { show: true, color: "#fff", fontSize: 12, formatter: ({ value }) => (value >= 0.08 ? amountOf(Math.round(value * 100) / 100, "%") : "") },
    })),
  };
}

function heatOption(chart) {
  const cells = chart.series[0].data;
  const most = Math.max(1, ...cells.map((cell) => cell[2] || 0));
  return {
    tooltip: tooltip({ formatter: ({ value }) => nameOf(chart.y[value[1]]) + " " + nameOf(chart.x[value[0]]) + "\n" + amountOf(value[2], chart.unit) }),
    grid: { left: 4, right: 8, top: 8, bottom: 40, containLabel: true },
    xAxis: categoryAxis(chart.x.map(nameOf), { splitArea: { show: false } }), yAxis: categoryAxis(chart.y.map(nameOf), { inverse: true }),
    visualMap: { min: 0, max: most, calculable: false, orient: "horizontal", left: "center", bottom: 0, itemWidth: 10, itemHeight: 120, text: [amountOf(most, chart.unit), "0"], textStyle: { color: SOFT, fontSize: 12 }, inRange: { color: HEAT } },
    series: [{ type: "heatmap", progressive: 0, data: cells, itemStyle: { borderColor: "#fff", borderWidth: 1.5, borderRadius: 3 } }],
  };
}

const named = (name, words) => (name ? name + " " : "") + words;

function scatterOption(chart) {
  return {
    legend: legendOf(seriesNames(chart)), grid: gridOf(chart.series.length > 1, { bottom: 18, left: chart.y_name ? 30 : 4 }),
    tooltip: tooltip({ formatter: ({ marker, value, seriesName }) => [marker + (value[3] ?? seriesName), named(chart.x_name, amountOf(value[0], chart.x_unit)), named(chart.y_name, amountOf(value[1], chart.unit))].join("\n") }),
    xAxis: valueAxis(chart.x_unit || "", { scale: true, name: chart.x_name || "", nameLocation: "middle", nameGap: 26, nameTextStyle: { color: SOFT } }),
    yAxis: valueAxis(chart.unit, { scale: true, name: chart.y_name || "", nameLocation: "middle", nameGap: 38, nameTextStyle: { color: SOFT } }),
    series: chart.series.map((one, i) => ({ name: one.name, type: "scatter", data: one.data, symbol: SYMBOLS[i % SYMBOLS.length], symbolSize: (value) => (value[2] ? Math.max(6, Math.min(34, Math.sqrt(value[2]) * 2)) : 9), itemStyle: { opacity: 0.78 } })),
  };
}
