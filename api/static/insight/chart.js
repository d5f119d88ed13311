/* A chart on its card: name, definition, the drawing or the table, and what to say where there is nothing. */
const drawn = new Set(); // every ECharts on the page: they are fitted to the paper before printing

const PLAIN = { animationDuration: 300, animationDurationUpdate: 300, color: COLOURS, textStyle: { fontFamily: LETTERS, color: INK }, aria: { enabled: false } };
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/* What a click on the drawing stands for in the rows behind it. */
function pickOf(chart, event) {
  const keys = chart.picks || [];
  if (chart.kind === "heat") return { pick: keys[event.value[0]] ?? nameOf(chart.x[event.value[0]]), series: chart.y_picks?.[event.value[1]], named: nameOf(chart.y[event.value[1]]) + " " + nameOf(chart.x[event.value[0]]) };
  const label = event.name ?? event.value?.[0];
  const pick = event.data?.key ?? keys[event.dataIndex] ?? label;
  const one = chart.series?.[event.seriesIndex];
  return { pick, series: one?.key, named: [labelWords(label), chart.series?.length > 1 && one?.name].filter(Boolean).join(" ") };
}

function Canvas({ chart }) {
  const box = useRef(null);
  const said = JSON.stringify(chart);
  const live = useRef(null);
  useLayoutEffect(() => {
    const made = echarts.init(box.current, null, { renderer: "canvas", devicePixelRatio: Math.max(2, devicePixelRatio || 1) });
    live.current = made;
    drawn.add(made);
    const watch = new ResizeObserver(() => made.resize());
    watch.observe(box.current);
    return () => {
      watch.disconnect();
      drawn.delete(made);
      made.dispose();
    };
  }, []);
  useLayoutEffect(() => {
    live.current.setOption({ ...PLAIN, animation: !STILL.matches, ...OPTIONS[chart.kind](chart) }, { notMerge: true });
    live.current.off("click");
    if (chart.rows) live.current.on("click", (event) => openRows(chart.rows, pickOf(chart, event)));
  }, [said]);
  return html`<div ref=${box} class=${"canvas " + tall(chart)} role="img" aria-label=${chart.name + "。按「表格」可以读到每个数字。"}></div>`;
}

/* One broken drawing does not take the page with it. */
class Sound extends Component {
  componentDidCatch(error) {
    console.error(error);
    this.setState({ broken: true });
  }

  render({ children }, { broken }) {
    if (!broken) return children;
    return html`<div class="failed" role="alert"><p>这张图没有画出来</p><button type="button" onclick=${() => this.setState({ broken: false })}><${Glyph} name="retry"/>重试</button></div>`;
  }
}

const WIDE_KINDS = new Set(["tree", "heat"]);
const isWide = (chart) => WIDE_KINDS.has(chart.kind) || (chart.kind === "table" && (chart.columns?.length || 0) > 6);

function ChartCard({ chart }) {
  const [asTable, setAsTable] = useState(false);
  const nothing = hasNothing(chart);
  const drawable = chart.kind !== "table" && !nothing;
  return html`<section class=${"card" + (nothing ? " hollow" : isWide(chart) ? " wide" : "")} aria-label=${chart.name}>
    <div class="card-head"><h3>${chart.name}</h3>${drawable && unitName(chart.unit) && html`<span class="count">单位：${unitName(chart.unit)}</span>`}<${What} name=${chart.name} text=${chart.definition}/>
      <span class="card-acts">${drawable && html`<button type="button" class="small" aria-pressed=${String(asTable)} aria-label=${chart.name + "：表格"} onclick=${() => setAsTable(!asTable)}>表格</button>`}
        ${chart.rows && !nothing && html`<button type="button" class="small" aria-label=${chart.name + "：明细"} onclick=${() => openRows(chart.rows)}>明细</button>`}</span></div>
    <${Sound}>${nothing ? html`<p class="nothing-here">${chart.empty || "这段时间没有数据"}</p>` : chart.kind === "table" ? html`<${RankTable} chart=${chart}/>` : asTable ? html`<${ChartTable} chart=${chart}/>` : html`<${Canvas} chart=${chart}/>`}<//>
    ${drawable && !asTable && hiddenBars(chart) > 0 && html`<p class="count">图上是前 ${MOST_BARS} 项，共 ${chart.x.length} 项<span class="no-print">，全部在「表格」里</span></p>`}
  </section>`;
}

function onOneCanvas(one) {
  const made = one.renderToCanvas({ pixelRatio: 3 }); /* finer than the screen: drawn anew, whole, at once */
  made.className = "paper";
  return made;
}

/* On paper the page is as wide as A4 lying; the drawings are made anew for it, at once and without moving. */
function fitCharts(printing) {
  document.documentElement.classList.toggle("printing", printing);
  for (const one of drawn) {
    one.resize({ animation: { duration: 0 } });
    one.getDom().querySelector(".paper")?.remove();
    if (printing) one.getDom().append(onOneCanvas(one)); /* the paper does not wait for the next frame */
  }
}
addEventListener("beforeprint", () => fitCharts(true));
addEventListener("afterprint", () => fitCharts(false));
