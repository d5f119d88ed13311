/* One group: its messages, ticked and given the right intent without leaving the keyboard. */
const GROUP_KEYS = [["↑ ↓", "在意图里移动"], ["Enter", "标注已勾选的，没勾选就标注当前这条"], ["Alt ↑ ↓", "上一条、下一条消息"], ["Alt X", "勾选当前这条"], ["Alt A", "全选 / 全不选"], ["Alt D", "略过"], ["Alt Z", "撤销上一步"]];

/* The likely intents of a group: what agents said, then what it was taken for, the most frequent first. */
function likelyOf(items) {
  const times = new Map();
  for (const item of items) for (const [key, weight] of [[item.suggested, 3], [item.understood, 1]]) if (key) times.set(key, (times.get(key) || 0) + weight);
  return [...times].sort((a, b) => b[1] - a[1]).map(([key]) => key);
}

function ItemRow({ item, here, ticked, tick, point }) {
  const row = useRef(null);
  useEffect(() => {
    if (here) row.current.scrollIntoView({ block: "nearest" });
  }, [here]);
  return html`<li ref=${row} class=${"item" + (here ? " here" : "") + (ticked ? " ticked" : "")} onclick=${point}>
    <input type="checkbox" aria-label=${"勾选：" + item.text} checked=${ticked} onclick=${(event) => (event.stopPropagation(), tick())}/>
    <div class="item-body"><p class="item-text">${item.text}</p><p class="count">${onDay(item.at)} · ${channelWord(item.channel)} · ${item.reasons.map((one) => one.name).join("、")} · ${item.understood_text ? "当时理解为 " + item.understood_text : "当时没有理解"}${item.confidence === null || item.confidence === undefined ? "" : "（" + amountOf(item.confidence, "share") + "）"}
      ${item.suggested && html` · <b>坐席更正：${item.suggested_text}</b>`}</p>
      ${item.state !== "open" && html`<p class="done-line"><${Glyph} name="done"/>${item.state_text}${item.label ? "：" + item.label_text : ""}${item.reviewed ? " · " + item.reviewed.name + " " + momentOf(item.reviewed.at) : ""}</p>`}
      ${item.refused_text && html`<p class="held-line"><${Glyph} name="lock"/>不会用来训练：${item.refused_text}</p>`}</div>
    ${item.link && html`<a href=${item.link} target="_blank" rel="noopener" onclick=${(event) => event.stopPropagation()}>会话<span class="sr">（在新页打开）</span></a>`}</li>`;
}

const channelWord = (key) => CHANNELS.find(([one]) => one === key)?.[1] || key;

function useGroup(app, id, state) {
  const read = useRead(app, "/learning/groups/" + encodeURIComponent(id) + "?limit=200&state=" + (state === "open" ? "open" : "all"));
  const [gone, setGone] = useState(new Set()); // done here, and not yet told by the server
  useEffect(() => setGone(new Set()), [read.value]);
  const items = (read.value?.items || []).filter((item) => !gone.has(item.id));
  return { ...read, items, take: (ids) => setGone((before) => new Set([...before, ...ids])), give: (ids) => setGone((before) => new Set([...before].filter((one) => !ids.includes(one)))) };
}

function GroupPage({ app, id, query }) {
  const state = query.get("state") || "open";
  const group = useGroup(app, id, state);
  const intents = useIntents(app);
  const [ticked, setTicked] = useState(new Set());
  const [place, setPlace] = useState(0);
  const [deeds, setDeeds] = useState([]); // ids of each step, to undo the last
  const box = useRef(null);
  const { items } = group;
  const here = Math.min(place, items.length - 1);
  const chosen = () => (ticked.size ? items.filter((item) => ticked.has(item.id)) : items.slice(here, here + 1)).map((item) => item.id);
  const tick = (item) => item && setTicked((before) => new Set(before.has(item.id) ? [...before].filter((one) => one !== item.id) : [...before, item.id]));
  const all = () => setTicked(ticked.size === items.length ? new Set() : new Set(items.map((item) => item.id)));
  const act = async (path, more, said) => {
    const ids = chosen();
    if (!ids.length) return;
    group.take(ids);
    setTicked(new Set());
    try {
      await app.api.post("/learning/items/" + path, { ids, ...more });
      setDeeds((before) => [...before, ids]);
      announce(said + "，" + ids.length + " 条");
      if (items.length === ids.length) group.reload();
    } catch (error) {
      group.give(ids);
      failed(error);
      group.reload();
    }
  };
  const undoing = useRef(false);
  const undo = async () => {
    const ids = deeds[deeds.length - 1];
    if (!ids || undoing.current) return;
    undoing.current = true;
    try {
      await app.api.post("/learning/items/undo", { ids });
      setDeeds((before) => before.slice(0, -1));
      group.give(ids);
      group.reload();
      announce("已撤销");
    } catch (error) {
      failed(error);
    }
    undoing.current = false;
  };
  const keys = useRef(null);
  keys.current = { ArrowUp: () => setPlace(Math.max(0, here - 1)), ArrowDown: () => setPlace(Math.min(items.length - 1, here + 1)), KeyX: () => tick(items[here]), KeyA: all, KeyD: () => act("dismiss", {}, "已略过"), KeyZ: undo };
  useEffect(() => {
    const onkeydown = (event) => {
      if (!event.altKey || event.ctrlKey || event.metaKey || !keys.current[event.code] || openDialogs.length) return;
      event.preventDefault();
      keys.current[event.code]();
    };
    document.addEventListener("keydown", onkeydown);
    return () => document.removeEventListener("keydown", onkeydown);
  }, []);
  useEffect(() => box.current?.focus(), [Boolean(group.value)]);
  const back = html`<p class="crumbs"><button type="button" class="link" onclick=${() => goTo("learning", { change: groupsPlace(query) })}>消息分组</button> › ${group.value?.group.name || ""}</p>`;
  if (!group.value) return html`${back}${group.error ? html`<${Failed} error=${group.error} retry=${group.reload}/>` : html`<${Skeleton}/>`}`;
  const count = ticked.size || (items.length ? 1 : 0);
  return html`${back}<div class="group-page"><section class="card" aria-label="消息"><div class="card-head"><h2>${group.value.group.name}</h2><span class="count num">${group.value.next ? "先看前 " + items.length + " 条，共 " + whole.format(group.value.group.size) : items.length} 条</span>
      <span class="card-acts"><button type="button" class="small" onclick=${all}>${ticked.size === items.length && items.length ? "全不选" : "全选"}</button></span></div>
      ${group.error && html`<${StaleLine} error=${group.error} retry=${group.reload}/>`}
      ${items.length ? html`<ul class="items" tabindex="0" aria-label="消息列表">${items.map((item, i) => html`<${ItemRow} key=${item.id} item=${item} here=${i === here} ticked=${ticked.has(item.id)} tick=${() => tick(item)} point=${() => setPlace(i)}/>`)}</ul>`
        : html`<${Empty} glyph="done" title="这一组处理完了"><button type="button" class="primary" onclick=${() => goTo("learning", { change: groupsPlace(query) })}>回到分组</button><//>`}</section>
    <section class="card labelling" aria-label="标注"><p class="count" role="status">将处理 <b class="num">${count}</b> 条${ticked.size ? "（已勾选）" : "（当前这条）"}</p>
      <${IntentBox} intents=${intents} likely=${likelyOf(items)} take=${(intent) => act("label", { intent: intent.key }, "已标注为" + intent.label)} boxRef=${box} disabled=${!items.length}/>
      <p class="row-start"><button type="button" aria-disabled=${String(!items.length)} onclick=${() => act("dismiss", {}, "已略过")}>略过<kbd>Alt D</kbd></button><button type="button" aria-disabled=${String(!deeds.length)} onclick=${undo}>撤销<kbd>Alt Z</kbd></button>
        <button type="button" onclick=${() => goTo("learning", { rest: ["faqs", "new"], change: { answers: chosen().join("-"), question: items[here]?.text } })}>写成标准问答</button></p>
      <dl class="keys one">${GROUP_KEYS.map(([key, what]) => html`<div key=${key}><dt>${key.split(" ").map((part) => html`<kbd key=${part}>${part}</kbd>`)}</dt><dd>${what}</dd></div>`)}</dl></section></div>`;
}
