/* The left column: what is offered, mine, to be wrapped up, waiting, and left as a message. */
const SECTIONS = [
  ["offers", "派给我", "bell"],
  ["mine", "我的会话", "quote"],
  ["wrap_up", "待小结", "edit"],
  ["queue", "排队", "clock"],
  ["messages", "留言", "inbox"],
];
const QUEUE_AT_ONCE = 60;

const NOTHING = {
  mine: "还没有接待中的会话",
  queue: "没有人在排队",
  messages: "没有待处理的留言",
};

function Section({ desk, name, title, glyph, cases }) {
  const [shut, setShut] = useState(store.read("desk:shut:" + name, false));
  const [shown, setShown] = useState(QUEUE_AT_ONCE);
  const toggle = () => {
    store.write("desk:shut:" + name, !shut);
    setShut(!shut);
  };
  if (!cases.length && !NOTHING[name]) return null;
  const longest = name === "queue" && cases.length > 0 && cases.reduce((a, b) => (a.requested_at < b.requested_at ? a : b));
  return html`<section class=${"list " + name}>
    <h2><button type="button" class="list-head" aria-expanded=${String(!shut)} onclick=${toggle}>
      <${Glyph} name="chevron"/><${Glyph} name=${glyph}/>${title}<span class="count num">${cases.length}</span>
      ${longest && html`<span class="longest">最久 <${Waited} since=${longest.requested_at}/></span>`}</button></h2>
    ${!shut && (cases.length
      ? html`<ul>${cases.slice(0, shown).map((one, place) => html`<${CaseRow} key=${one.handoff_id} desk=${desk} one=${one} list=${name} place=${place} open=${desk.open === one.conversation_id}/>`)}</ul>
          ${cases.length > shown && html`<button type="button" class="link more" onclick=${() => setShown(shown + QUEUE_AT_ONCE)}>再显示 ${Math.min(QUEUE_AT_ONCE, cases.length - shown)} 个（共 ${cases.length}）</button>`}`
      : html`<p class="nothing">${NOTHING[name]}</p>`)}
  </section>`;
}

/* Longest silence on our side first among mine would make the list jump; it keeps the order of coming instead. */
function InboxColumn({ desk }) {
  const [query, setQuery] = useState("");
  const { inbox } = desk;
  const words = query.trim().toLowerCase();
  const fits = (one) =>
    !words || [customerOf(one), reasonOf(one), skillWord(one.skill), one.last_message?.text, ...(one.customer?.flags || []).map((flag) => desk.flagWord(flag))].some((text) => String(text || "").toLowerCase().includes(words));
  return html`<nav class="inbox" aria-label="会话列表">
    <div class="inbox-search"><${Glyph} name="search"/><input type="search" aria-label="查找会话" placeholder="查找：客户、原因、内容" value=${query} oninput=${(e) => setQuery(e.target.value)}/></div>
    <div class="inbox-lists" tabindex="-1">
      ${!inbox.loaded && html`<${Spinner}/>`}
      ${inbox.loaded && SECTIONS.map(([name, title, glyph]) => html`<${Section} key=${name} desk=${desk} name=${name} title=${title} glyph=${glyph} cases=${inbox[name].filter(fits)}/>`)}
    </div>
  </nav>`;
}
