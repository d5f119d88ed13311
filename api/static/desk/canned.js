/* Canned answers behind a slash, and what the knowledge and the bot would say. */
const SLASH = /^\/([^\s/]{0,20})$/;

/* The list that opens under "/": arrows choose, Enter takes, Esc closes. */
function useCanned(desk, talk, text, insert) {
  const [state, setState] = useState({ list: [], at: 0, shut: false, loading: false });
  const query = SLASH.exec(text)?.[1];
  useEffect(() => {
    if (query === undefined) return undefined;
    let here = true;
    setState((before) => ({ ...before, shut: false, loading: true }));
    const timer = setTimeout(async () => {
      try {
        const found = await desk.api.get("/canned?q=" + encodeURIComponent(query) + "&conversation=" + encodeURIComponent(talk.id));
        if (here) setState({ list: found.slice(0, 30), at: 0, shut: false, loading: false });
      } catch {
        if (here) setState({ list: [], at: 0, shut: false, loading: false, error: true });
      }
    }, 150);
    return () => {
      here = false;
      clearTimeout(timer);
    };
  }, [query]);
  const open = query !== undefined && !state.shut;
  const take = (one) => insert(one.text, true);
  const onkeydown = (event) => {
    if (!open) return false;
    const { list, at } = state;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
    if (to !== undefined && list.length) setState({ ...state, at: (to + list.length) % list.length });
    else if ((event.key === "Enter" || event.key === "Tab") && list[at]) take(list[at]);
    else if (event.key === "Escape") setState({ ...state, shut: true });
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
  return { ...state, open, take, onkeydown, point: (at) => setState({ ...state, at }) };
}

function CannedList({ canned }) {
  const list = useRef(null);
  useEffect(() => list.current?.querySelector(".at")?.scrollIntoView({ block: "nearest" }), [canned.at]);
  if (!canned.open) return null;
  return html`<div class="canned" tabindex="0" aria-label="常用语" role="group" ref=${list}>
    <p class="canned-head">常用语<span>↑↓ 选择　Enter 插入　Esc 关闭</span></p>
    ${canned.list.length > 0 && html`<ul role="listbox" aria-label="常用语" id="canned-list">${canned.list.map(
      (one, place) => html`<li key=${one.id} role="option" id=${"canned" + place} aria-selected=${String(place === canned.at)} class=${place === canned.at ? "at" : ""}
        onmousedown=${(event) => (event.preventDefault(), canned.take(one))} onmousemove=${() => place !== canned.at && canned.point(place)}>
        <b>${one.title}</b><kbd>/${one.shortcut}</kbd>${one.skill && html`<span class="tag skill">${skillWord(one.skill)}</span>`}<span class="canned-text">${brief(one.text, 90)}</span></li>`,
    )}</ul>`}
    ${!canned.list.length && html`<p class="nothing" role="status">${canned.loading ? "正在查找…" : canned.error ? "常用语暂时取不到" : "没有匹配的常用语"}</p>`}
  </div>`;
}

/* Drafts for the last words of the customer that nobody has answered yet. */
function useDrafts(desk, talk) {
  const [state, setState] = useState({ seq: 0, drafts: [], loading: false });
  const on = store.read("desk:drafts", true);
  const last = talk.writable && talk.lastCustomer;
  const answered = last && talk.messages.some((one) => one.author === "agent" && one.seq > last.seq);
  const seq = on && last && !answered && last.type !== "image" ? last.seq : 0;
  useEffect(() => {
    if (!seq) return undefined;
    let here = true;
    setState({ seq, drafts: [], loading: true });
    const timer = setTimeout(async () => {
      const answer = await desk.api.get(talk.path + "/drafts?seq=" + seq).catch(() => ({ drafts: [] }));
      if (here) setState({ seq, drafts: answer.drafts || [], loading: false });
    }, 700);
    return () => {
      here = false;
      clearTimeout(timer);
    };
  }, [seq, talk.id]);
  return seq ? state : { drafts: [], loading: false };
}

const SOURCES = { bot: "电小服会说", knowledge: "知识库" };

function DraftChips({ drafts, take }) {
  if (drafts.loading) return html`<p class="drafts loading-drafts" role="status"><${Glyph} name="spark"/>正在想怎么答…</p>`;
  if (!drafts.drafts.length) return null;
  return html`<div class="drafts" role="group" aria-label="建议回复，点击放进输入框">${drafts.drafts.slice(0, 4).map(
    (one) => html`<button type="button" class=${"draft " + one.source} title=${one.text} onclick=${() => take(one.text)}>
      <span class="draft-source"><${Glyph} name=${one.source === "bot" ? "bolt" : "spark"}/>${SOURCES[one.source] || one.source}</span><span class="draft-text">${brief(one.text, 110)}</span></button>`,
  )}</div>`;
}
