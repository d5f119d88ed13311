/* The weekly report: sentences, figures and charts of every board, definitions at the end; for paper, nothing to press. */
const ARROW_OF = (figure) => (!movedBy(figure) ? "" : figure.value > figure.previous ? "▲" : "▼");
const IN_WORDS = { good: "变好", bad: "变差", none: "" };

function Still({ chart }) {
  const box = useRef(null);
  useLayoutEffect(() => {
    const made = echarts.init(box.current, null, { renderer: "canvas", devicePixelRatio: 1 });
    made.setOption({ color: COLOURS, textStyle: { fontFamily: LETTERS, color: INK }, animation: false, ...OPTIONS[chart.kind](chart) });
    const drawn = made.renderToCanvas({ pixelRatio: 2.5 }); /* all of it at once: paper does not wait for a second frame */
    drawn.className = "paper";
    made.dispose();
    box.current.append(drawn);
  }, []);
  return html`<div ref=${box} class=${"canvas " + tall(chart)} role="img" aria-label=${chart.name}></div>`;
}

const changeWords = (figure) => (movedBy(figure) ? "较上周 " : "") + figure.change_text;

/* A figure of a report has no other day to compare itself with than the week before. */
const Tile = ({ figure }) => html`<li class=${"tile " + (figure.verdict || "none")}><h4>${figure.name}</h4><p class=${"value" + (figure.value === null ? " none" : textOf(figure).length > 8 ? " long" : "")}>${textOf(figure)}</p>
  <p class="change">${figure.value === null || figure.previous === null ? "" : html`<span aria-hidden="true">${ARROW_OF(figure)}</span> ${changeWords(figure)} <span class="verdict-word">${IN_WORDS[figure.verdict] || ""}</span>`}</p></li>`;

const Tiles = ({ figures }) => figures.length > 0 && html`<ul class="tiles">${figures.map((one) => html`<${Tile} key=${one.key} figure=${one}/>`)}</ul>`;

/* On paper a long table shows its first lines. */
const LINES_ON_PAPER = 6;
const onPaper = (chart) => ({ ...chart, lines: chart.lines.slice(0, LINES_ON_PAPER).map(({ rows, link, ...line }) => line) });

const WIDE_ON_PAPER = new Set(["tree", "heat", "table"]);

const Drawn = ({ chart }) => html`<section class=${"card" + (WIDE_ON_PAPER.has(chart.kind) ? " wide" : "")}><h4>${chart.name}${chart.kind !== "table" && unitName(chart.unit) ? html`<span>单位：${unitName(chart.unit)}</span>` : ""}</h4>
  ${hasNothing(chart) ? html`<p class="empty-chart">${chart.empty || "没有数据"}</p>` : chart.kind === "table" ? html`<${RankTable} chart=${onPaper(chart)}/>` : html`<${Still} chart=${chart}/>`}</section>`;

/* What has nothing in it is not worth paper. */
const worthPaper = (group) => group.charts.filter((chart) => !hasNothing(chart) || chart.kind === "table");

const GroupOnPaper = ({ group }) => html`<section class="group"><h3>${group.name}</h3><${Tiles} figures=${group.figures}/>
  ${worthPaper(group).length > 0 && html`<div class="charts">${worthPaper(group).map((chart) => html`<${Drawn} key=${chart.key} chart=${chart}/>`)}</div>`}</section>`;

/* A board that knows nothing of the week says so in a line. */
const knowsNothing = (board) => board.groups.every((group) => group.figures.every((one) => one.value === null) && group.charts.every(hasNothing));

const Section = ({ board }) => html`<section class=${knowsNothing(board) ? "board-empty" : "board"}><h2>${board.name}</h2>
  ${knowsNothing(board) ? html`<p class="note">${board.groups.flatMap((group) => group.charts.map((chart) => chart.empty)).find(Boolean) || "没有数据"}</p>` : board.groups.map((group) => html`<${GroupOnPaper} key=${group.key} group=${group}/>`)}</section>`;

/* Each figure and chart that is shown once, in the order of the boards. */
function meanings(boards) {
  const told = boards.filter((board) => !knowsNothing(board));
  const all = told.flatMap((board) => board.groups.flatMap((group) => [...group.figures, ...worthPaper(group)]));
  return [...new Map(all.map((one) => [one.name, one.definition])).entries()].filter(([, definition]) => definition);
}

function Report({ data }) {
  return html`<header class="cover"><p class="house"><${Mark}/>电小服</p><h1>${data.title}</h1><p class="week">${data.week}</p>${data.notes.map((note) => html`<p class="note" key=${note}>${note}</p>`)}
      <button type="button" class="print" onclick=${() => print()}>打印或存为 PDF</button></header>
    <section class="lead"><h2>${data.lead}</h2><${Tiles} figures=${data.headline.filter((one) => one.value !== null)}/>
      ${data.boards.map((board) => html`<div class="summary" key=${board.board}><h3>${board.name}</h3><ul class="prose">${board.sentences.map((line) => html`<li key=${line}>${line}</li>`)}</ul></div>`)}</section>
    ${data.boards.map((board) => html`<${Section} key=${board.board} board=${board}/>`)}
    <section class="definitions board"><h2>${data.definitions}</h2><dl>${meanings(data.boards).map(([name, text]) => html`<div key=${name}><dt>${name}</dt><dd>${text}</dd></div>`)}</dl></section>`;
}

render(html`<${Report} data=${JSON.parse(document.getElementById("report-data").textContent)}/>`, document.getElementById("report"));
