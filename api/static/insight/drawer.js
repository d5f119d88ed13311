/* The rows behind a figure (明细), in a drawer at the side: page by page, each leading to its conversation or account. */
function RowLink({ to, label }) {
  const here = to.startsWith("/insight#");
  return html`<a href=${here ? to.slice("/insight".length) : to} target=${here ? null : "_blank"} rel="noopener">${label}${!here && html`<span class="sr">（在新页打开）</span>`}</a>`;
}

/* Rows that come page by page; new figures on the board behind do not disturb somebody who reads here. */
function useRows(app, path) {
  const [state, setState] = useState({ pages: [], error: null, loading: true });
  const run = useRef(0);
  const load = async (cursor, before) => {
    const mine = ++run.current;
    setState({ pages: before, error: null, loading: true });
    try {
      const page = await app.api.get(path + (cursor === null ? "" : "&after=" + encodeURIComponent(cursor)));
      if (mine === run.current) setState({ pages: [...before, page], error: null, loading: false });
    } catch (error) {
      if (mine === run.current) setState({ pages: before, error, loading: false });
    }
  };
  const more = () => load(state.pages.length ? state.pages[state.pages.length - 1].next : null, state.pages);
  useEffect(() => {
    load(null, []);
    return () => {
      run.current++;
    };
  }, [path, app.entered]);
  return { ...state, more, next: state.pages.length ? state.pages[state.pages.length - 1].next : null };
}

/* What was said stands beside the time; numbers of conversations are behind the link, and counts of one say nothing. */
function shownColumns({ columns }, lines) {
  const plain = (row) => row.value === 1 || row.value === null;
  const shown = columns.filter((column) => column.key !== "conversation_id" && (column.key !== "value" || !lines.every(plain)));
  const said = shown.find((column) => column.key === "said");
  return said ? [shown[0], said, ...shown.slice(1).filter((column) => column !== said)] : shown;
}

/* The link stands on the first cell. */
const RowLine = ({ columns, row }) => html`<tr>${columns.map((column, i) => {
  const text = cellWords(row[column.key], column.unit);
  const cell = row.link && i === 0 ? html`<${RowLink} to=${row.link} label=${text}/>` : text;
  return i ? html`<td key=${column.key} class=${column.key}>${cell}</td>` : html`<th scope="row" key=${column.key}>${cell}</th>`;
})}</tr>`;

function Drawer({ app, rows, query }) {
  const box = useRef(null);
  const close = () => adjust({ rows: "" });
  useTrap(box, close);
  const [key, own = ""] = rows.split("?");
  const all = asked(query);
  for (const [name, value] of new URLSearchParams(own)) all.set(name, value);
  const named = all.get("named");
  all.delete("named");
  const { pages, error, loading, more, next } = useRows(app, "/rows/" + encodeURIComponent(key) + "?" + all);
  const [first] = pages;
  const lines = pages.flatMap((page) => page.rows);
  const columns = first ? shownColumns(first, lines) : [];

  return html`<div class="drawer-veil" onmousedown=${(event) => event.target === event.currentTarget && close()}>
    <aside class="drawer" role="dialog" aria-modal="true" aria-labelledby="drawer-title" tabindex="-1" ref=${box}>
      <div class="drawer-head"><div><h2 id="drawer-title">${first ? first.name : "明细"}${named && html`<span class="tag">${named}</span>`}</h2>
        <p class="count">${spanWords(all.get("from"), all.get("to"))}${first && html`，共 <b class="num">${whole.format(first.total)}</b> 条`}</p></div>
        <${FileLink} app=${app} path=${"/rows/" + encodeURIComponent(key) + ".csv?" + all}>下载 CSV<//>
        <button type="button" class="bare" aria-label="关闭明细" data-first onclick=${close}><${CloseIcon}/></button></div>
      <div class="drawer-body" role="region" aria-label="明细内容" tabindex="0">
        ${first && html`<p class="hint">${first.definition}</p>`}
        ${lines.length > 0 && html`<table class="grid rows"><caption class="sr">${first.name}</caption><thead><tr>${columns.map((column) => html`<th scope="col" key=${column.key}>${column.name}</th>`)}</tr></thead>
          <tbody>${lines.map((row, i) => html`<${RowLine} key=${i} columns=${columns} row=${row}/>`)}</tbody></table>`}
        ${first && !lines.length && html`<${Empty} glyph="search" title="这段时间没有记录"/>`}
        ${loading && html`<${Spinner}/>`}${error && html`<${Failed} error=${error} retry=${more}/>`}
        ${next && !loading && !error && html`<p class="row-end"><span class="count num">已显示 ${lines.length} 条</span><button type="button" onclick=${more}>再看一些</button></p>`}
      </div></aside></div>`;
}
