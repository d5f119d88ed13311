/* A board: groups of figures and charts, as the server sends them. While new ones are read the old ones stay. */
const Skeleton = () => html`<div class="skeletons" role="status"><span class="sr">正在读取…</span>
  <div class="figures" aria-hidden="true">${[1, 2, 3, 4, 5, 6].map((n) => html`<div class="figure bone" key=${n}></div>`)}</div>
  <div class="charts" aria-hidden="true">${[1, 2, 3, 4].map((n) => html`<div class="card bone" key=${n}></div>`)}</div></div>`;

/* What stands, and could not be read anew. */
const StaleLine = ({ error, retry }) => html`<p class="stale" role="alert">${reasonWords(error)}。下面是先前的数字。<button type="button" class="link" onclick=${retry}>重试</button></p>`;

/* What has nothing in it stands below the rest, and takes little room. */
const rowsOf = (charts = []) => [charts.filter((chart) => !hasNothing(chart)), charts.filter(hasNothing)].filter((row) => row.length);

function Group({ group, days }) {
  const id = "group-" + group.key;
  return html`<section class="group" aria-labelledby=${id}><h2 id=${id}>${group.name}</h2>
    <${Figures} figures=${group.figures || []} days=${days} label=${group.name}/>
    ${rowsOf(group.charts).map((row) => html`<div class="charts" key=${hasNothing(row[0])}>${row.map((chart) => html`<${ChartCard} key=${chart.key} chart=${chart}/>`)}</div>`)}</section>`;
}

function Board({ app, name, query, before }) {
  const { value, error, loading, fresh, reload } = useRead(app, "/boards/" + name + "?" + query);
  if (!value) return error ? html`<${Failed} error=${error} retry=${reload}/>` : html`<${Skeleton}/>`;
  const days = daysBetween(value.from, value.to);
  return html`<div class=${"board" + (fresh || !loading ? "" : " aging")} aria-busy=${String(loading)}>
    ${error && html`<${StaleLine} error=${error} retry=${reload}/>`}
    <p class="board-line">${spanWords(value.from, value.to)}${days === 1 ? "；每个数字都与前一天相比" : "，共 " + days + " 天；每个数字都与之前的 " + days + " 天相比"}。数据截至 <time class="num" datetime=${value.as_of}>${asOfWords(value.as_of)}</time></p>
    ${value.note && html`<p class="stale">${value.note}</p>`}${before}
    ${value.groups.map((group) => html`<${Group} key=${group.key} group=${group} days=${days}/>`)}
    ${value.groups.length === 0 && html`<${Empty} glyph="search" title="这段时间没有数据"/>`}</div>`;
}

const asOfWords = (at) => (ISO_DAY.test(at) ? dayWords(at) : momentOf(at) || at);

/* Days and channel, above every board. */
function Toolbar({ query, channels = true }) {
  const span = spanOf(query);
  const choose = (key) => adjust(key === "custom" ? { span: key, from: span.from, to: span.to } : { span: key, from: "", to: "" });
  const put = (name) => (event) => isDay(event.target.value) && adjust({ span: "custom", from: span.from, to: span.to, [name]: event.target.value }, { replace: true });
  return html`<div class="toolbar" role="search" aria-label="时间与渠道">
    <div class="spans" role="group" aria-label="时间">${SPANS.map(([key, label]) => html`<button type="button" key=${key} aria-pressed=${String(span.key === key)} onclick=${() => choose(key)}>${label}</button>`)}</div>
    ${span.key === "custom" && html`<label class="inline">从<input type="date" max=${isoDay()} value=${span.from} onchange=${put("from")}/></label><label class="inline">到<input type="date" max=${isoDay()} value=${span.to} onchange=${put("to")}/></label>`}
    ${channels && html`<label class="inline">渠道<select aria-label="渠道" value=${query.get("channel") || ""} onchange=${(event) => adjust({ channel: event.target.value })}>${CHANNELS.map(([key, label]) => html`<option key=${key} value=${key} selected=${key === (query.get("channel") || "")}>${label}</option>`)}</select></label>`}
    <span class="toolbar-gap"></span><button type="button" onclick=${() => print()}><${Glyph} name="note"/>打印本页</button></div>`;
}

const boardTab = (name) => ({ app, query }) => html`<${Toolbar} query=${query}/><${Board} app=${app} name=${name} query=${asked(query).toString()}/>`;
