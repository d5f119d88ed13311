/* The same chart as a table: for screen readers, for those who want the number, and for paper. */
const columnOf = (column) => (typeof column === "object" ? column : { key: column, name: column });

/* {columns: [words], lines: [[cells]]} of any kind of chart. */
function tableOf(chart) {
  const shown = (value, i = 0) => amountOf(value, unitOf(chart, i));
  if (chart.kind === "heat") {
    const at = new Map(chart.series[0].data.map(([x, y, value]) => [x + ":" + y, value]));
    return { columns: ["", ...chart.x.map(nameOf)], lines: chart.y.map((row, y) => [nameOf(row), ...chart.x.map((_, x) => shown(at.get(x + ":" + y) ?? 0))]) };
  }
  if (chart.kind === "tree") return { columns: ["规则", "数量"], lines: branches(chart.root, chart.unit) };
  if (chart.kind === "map") return { columns: ["区域", "数值", "说明"], lines: chart.areas.map((area) => [area.name, shown(area.value), area.note || ""]) };
  if (chart.kind === "sankey") {
    const names = new Map(chart.nodes.map((node) => [node.key ?? node.name, node.name]));
    return { columns: ["从", "到", "数量"], lines: chart.links.map((link) => [names.get(link.source), names.get(link.target), shown(link.value)]) };
  }
  if (chart.kind === "scatter") return { columns: ["名称", chart.x_name || "横轴", chart.y_name || "纵轴"], lines: chart.series.flatMap((one) => one.data.map((point) => [point[3] ?? one.name, amountOf(point[0], chart.x_unit), shown(point[1])])) };
  return { columns: ["", ...seriesNames(chart)], lines: chart.x.map((label, i) => [labelWords(nameOf(label)), ...chart.series.map((one, j) => shown(one.data[i], j))]) };
}

/* The tree as indented lines. */
function branches(node, unit, depth = 0) {
  return [["　".repeat(depth) + (depth ? "└ " : "") + node.name, amountOf(node.value, unit)], ...(node.children || []).flatMap((one) => branches(one, unit, depth + 1))];
}

const ChartTable = ({ chart }) => {
  const { columns, lines } = tableOf(chart);
  return html`<div class="scroll-table" role="region" aria-label=${chart.name + "，表格"} tabindex="0"><table class="grid numbers">
    <caption class="sr">${chart.name}</caption><thead><tr>${columns.map((name, i) => html`<th scope="col" key=${i}>${name || html`<span class="sr">项目</span>`}</th>`)}</tr></thead>
    <tbody>${lines.map((line, i) => html`<tr key=${i}>${line.map((cell, j) => (j ? html`<td key=${j}>${cell}</td>` : html`<th scope="row" key=${j}>${cell}</th>`))}</tr>`)}</tbody></table></div>`;
};

const MOMENT = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}):\d{2}$/;

/* Moments without year and seconds: a list is about some weeks. */
function cellWords(value, unit) {
  const moment = typeof value === "string" && MOMENT.exec(value);
  return moment ? shortLabel(moment[1]) + " " + moment[2] : amountOf(value, unit);
}

/* Columns of tables carry no unit: shares are known by their name. */
const unitOfColumn = (column) => column.unit || (/share$/.test(column.key) ? "share" : "");

/* A chart that is a table from the beginning: ranked lines, each of which may open what is behind it. */
function RankTable({ chart }) {
  const columns = (chart.columns || []).map(columnOf);
  const cell = (line, column, i) => {
    const value = Array.isArray(line) ? line[i] : line[column.key];
    return typeof value === "object" && value !== null ? value.text : cellWords(value, unitOfColumn(column));
  };
  const isWords = (column, i) => chart.lines.some((line) => typeof (Array.isArray(line) ? line[i] : line[column.key]) === "string");
  const tone = columns.map((column, i) => (column.key === "rank" ? "place-no" : isWords(column, i) ? "words" : ""));
  const leads = columns.findIndex((column) => column.key !== "rank");
  return html`<div class="scroll-table" role="region" aria-label=${chart.name} tabindex="0"><table class="grid numbers rank">
    <caption class="sr">${chart.name}</caption><thead><tr>${columns.map((column, i) => html`<th scope="col" key=${column.key} class=${tone[i]}>${column.name}</th>`)}</tr></thead>
    <tbody>${chart.lines.map((line, n) => html`<tr key=${n}>${columns.map((column, i) => (i !== leads ? html`<td key=${column.key} class=${tone[i]}>${cell(line, column, i)}</td>`
      : html`<th scope="row" key=${column.key}>${line.rows ? html`<button type="button" class="link" onclick=${() => openRows(line.rows, { named: cell(line, column, i) })}>${cell(line, column, i)}</button>`
        : line.link ? html`<${RowLink} to=${line.link} label=${cell(line, column, i)}/>` : cell(line, column, i)}</th>`))}</tr>`)}</tbody></table></div>`;
}
