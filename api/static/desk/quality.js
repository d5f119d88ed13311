/* Quality: a random sample of closed cases, read again beside the sheet; agents see what was given to their own work. */
const WHOSE = { customer: "客户", bot: "电小服", system: "系统" };

/* Today in Shanghai, or some days before, as a date field writes it. */
const dayField = (desk, back = 0) => new Intl.DateTimeFormat("en-CA", { timeZone: ZONE }).format(new Date(desk.now() - back * 86400000));

const Total = ({ total }) => html`<b class=${"num total" + (total < 60 ? " bad" : "")}>${total} 分</b>`;

function ScoreLines({ sheet, one }) {
  const words = new Map(sheet.items.map((item) => [item.key, item.label]));
  return html`<ul class="score-lines">${Object.entries(one.scores).map(([key, points]) => html`<li key=${key}><span>${words.get(key) || key}</span><b class=${"num" + (points <= 2 ? " bad" : "")}>${points}/${sheet.steps}</b></li>`)}</ul>
    ${one.comment && html`<p class="comment">${one.comment}</p>`}`;
}

/* What is given to one's own work. */
function Mine({ api }) {
  const sheet = useAsk(() => api.get("/options/quality"), []);
  const scores = useAsk(() => api.get("/quality/mine"), []);
  const error = sheet.error || scores.error;
  if (error) return html`<${Failed} error=${error} retry=${() => (sheet.reload(), scores.reload())}/>`;
  if (!sheet.value || !scores.value) return html`<${Spinner}/>`;
  return html`${scores.value.length ? html`<ul class="cards">${scores.value.map((one) => html`<li class="box" key=${one.handoff_id + ":" + one.reviewer.id}>
      <h2>服务单 ${one.handoff_id}<${Total} total=${one.total}/><span class="count">${momentOf(one.at)} ${one.reviewer.name}</span></h2><${ScoreLines} sheet=${sheet.value} one=${one}/></li>`)}</ul>`
    : html`<${Empty} glyph="done" title="还没有您的质检"/>`}
    <details class="box"><summary>质检看什么</summary><${Items} items=${sheet.value.items}/></details>`;
}

const Items = ({ items }) => html`<ul class="items">${items.map((item) => html`<li key=${item.key}><b>${item.label}</b><span class="tag">${item.weight} 分</span>${item.critical && html`<span class="tag bad">一票否决</span>`}${item.optional && html`<span class="tag">没涉及可不评</span>`}<p class="hint">${item.hint}</p></li>`)}</ul>`;

function Read({ value }) {
  return html`<div class="reread" role="region" aria-label="对话内容" tabindex="0">
    ${value.messages.map((one) => html`<div key=${one.seq} class=${"reread-line " + one.author}><p><b>${one.agent?.name || WHOSE[one.author] || one.author}</b><time datetime=${one.at}>${timeOf(one.at)}</time>${one.understood && html`<span class="tag">${one.understood.label}</span>`}</p>
      <p class="reread-text">${one.text || (one.type === "image" ? "[图片]" : "[卡片]")}</p></div>`)}
    ${value.notes.length > 0 && html`<h3>内部备注</h3>${value.notes.map((note) => html`<div key=${"n" + note.id} class="reread-line note"><p><b>${NOTES[note.kind]}</b>${note.agent.name}</p><p class="reread-text">${note.text}</p></div>`)}`}</div>`;
}

/* What the agent wrote down at the end. */
function WrapUp({ one }) {
  const { done, open, promised } = one.wrap_up;
  const rows = [["分类", [one.category].filter(Boolean)], ["结果", [one.outcome].filter(Boolean)], ["已办", done], ["未办", open], ["答应", promised.map((promise) => promise.text + (promise.due_at ? "（" + momentOf(promise.due_at) + " 前）" : ""))]];
  return html`<dl class="wrap-note" aria-label="服务小结">${rows.map(([name, lines]) => html`<div key=${name}><dt>${name}</dt><dd>${lines.length ? lines.join("；") : html`<span class="count">没有填</span>`}</dd></div>`)}</dl>`;
}

/* One item: its points as a row of choices; null: it did not come up. */
function ItemField({ item, steps, value, set }) {
  const options = Array.from({ length: steps + 1 }, (_, points) => ({ value: points, label: String(points) }));
  return html`<div class="item-field"><${Choices} label=${item.label + "（" + item.weight + "）"} name=${"q-" + item.key} value=${value} set=${set} options=${item.optional ? [...options, { value: null, label: "没涉及" }] : options} required=${!item.optional}/>
    <p class="hint">${item.hint}${item.critical ? " 0 分则整单为 0。" : ""}</p></div>`;
}

function Check({ api, me, case_id, done }) {
  const sheet = useAsk(() => api.get("/options/quality"), []);
  const read = useAsk(() => api.get("/quality/" + case_id), [case_id]);
  const [form, setForm] = useState({ scores: {}, comment: "" });
  const [state, setState] = useState({ busy: false, error: "" });
  useEffect(() => {
    const own = read.value?.scores.find((one) => one.reviewer.id === me.id);
    const promised = read.value?.wrap_up.promised.length > 0; /* then it did come up */
    const skipped = (sheet.value?.items || []).filter((item) => item.optional && (own || item.key !== "promise" || !promised));
    const none = Object.fromEntries(skipped.map((item) => [item.key, null]));
    setForm(own ? { scores: { ...none, ...own.scores }, comment: own.comment } : { scores: none, comment: "" });
    setState({ busy: false, error: "" });
  }, [read.value, sheet.value]);
  const error = sheet.error || read.error;
  if (error) return html`<${Failed} error=${error} retry=${() => (sheet.reload(), read.reload())}/>`;
  if (!sheet.value || !read.value) return html`<${Spinner}/>`;
  const { items, steps } = sheet.value;
  const left = items.filter((item) => form.scores[item.key] === undefined);
  const put = (key) => (points) => setForm({ ...form, scores: { ...form.scores, [key]: points } });
  const save = async (event) => {
    event.preventDefault();
    if (state.busy || left.length) return;
    setState({ busy: true, error: "" });
    try {
      const given = await api.post("/quality/" + case_id, { ...form, scores: Object.fromEntries(Object.entries(form.scores).filter(([, points]) => points !== null)) });
      toast("已打分：" + given.total + " 分", "good");
      setState({ busy: false, error: "" });
      done(given);
    } catch (problem) {
      setState({ busy: false, error: reasonWords(problem) });
    }
  };
  const one = read.value;
  const others = one.scores.filter((score) => score.reviewer.id !== me.id);
  return html`<div class="check"><section class="box"><h2>服务单 ${one.handoff_id}<span class="count">${one.agent?.name || ""} · ${one.reason}</span></h2>
      <p class="wall-foot"><${ClockBadge} name="first_response" clock=${one.clocks.first_response}/><${ClockBadge} name="closure" clock=${one.clocks.closure}/></p><${WrapUp} one=${one}/><${Read} value=${one}/></section>
    <form class="box" onsubmit=${save} aria-label="评分"><h2>评分</h2>
      ${items.map((item) => html`<${ItemField} key=${item.key} item=${item} steps=${steps} value=${form.scores[item.key]} set=${put(item.key)}/>`)}
      <${TextField} label="评语（坐席会看到）" value=${form.comment} set=${(comment) => setForm({ ...form, comment })} lines="3" max="1000"/>
      ${others.map((score) => html`<details key=${score.reviewer.id}><summary>${score.reviewer.name} 给了 ${score.total} 分</summary><${ScoreLines} sheet=${sheet.value} one=${score}/></details>`)}
      <p class="form-error" role="alert">${state.error}</p>
      <button type="submit" class="primary" aria-disabled=${String(state.busy || left.length > 0)}>${left.length ? "还有 " + left.length + " 项没评" : "保存评分"}</button></form></div>`;
}

function Sample({ desk, api, me }) {
  const [form, setForm] = useState({ from: dayField(desk, 7), to: dayField(desk), n: 20, seed: Math.floor(Math.random() * 1e6) });
  const [open, setOpen] = useState(null);
  const query = "?" + new URLSearchParams(form);
  const { value, error, loading, reload } = useAsk(() => api.get("/quality/sample" + query), [query]);
  const field = (key, label, more) => html`<${Field} label=${label}>${(control) => html`<input ...${control} ...${more} value=${form[key]} onchange=${(e) => e.target.value && setForm({ ...form, [key]: e.target.value })}/>`}<//>`;
  return html`<div class="days">${field("from", "从", { type: "date" })}${field("to", "到", { type: "date" })}${field("n", "抽几单", { type: "number", min: 1, max: 200 })}${field("seed", "抽样号", { type: "number", min: 0, max: 999999 })}
      <button type="button" onclick=${() => setForm({ ...form, seed: Math.floor(Math.random() * 1e6) })}><${Glyph} name="retry"/>换一批</button></div>
    <p class="hint">按坐席的接待量随机抽取；同一个抽样号总是抽到同样的服务单。</p>
    ${loading && !value && html`<${Spinner}/>`}${error && html`<${Failed} error=${error} retry=${reload}/>`}
    ${value && !error && (value.length ? html`<div class="sample"><table class="grid"><caption class="sr">抽到的服务单</caption><thead><tr><th scope="col">服务单</th><th scope="col">坐席</th><th scope="col">结束</th><th scope="col">分类</th><th scope="col">得分</th></tr></thead>
      <tbody>${value.map((one) => html`<tr key=${one.handoff_id} class=${open === one.handoff_id ? "chosen" : ""}><th scope="row"><button type="button" class="link num" aria-pressed=${String(open === one.handoff_id)} onclick=${() => setOpen(one.handoff_id)}>${one.handoff_id}</button></th><td>${one.agent.name}</td><td>${momentOf(one.ended_at)}</td><td>${one.category || one.reason}</td><td>${one.total === null ? html`<span class="count">未评</span>` : html`<${Total} total=${one.total}/>`}</td></tr>`)}</tbody></table>
      ${open && html`<${Check} key=${open} api=${api} me=${me} case_id=${open} done=${reload}/>`}</div>` : html`<${Empty} glyph="search" title="这几天没有可以抽的服务单"/>`)}`;
}

function Quality({ desk, api, me }) {
  const views = mayUse(me, "supervisor") ? { sample: ["抽检", Sample], mine: ["我的质检", Mine] } : { mine: ["我的质检", Mine] };
  const [view, setView] = useState(Object.keys(views)[0]);
  const [, View] = views[view];
  return html`<div class="supervision"><h1 class="sr">质检</h1>${Object.keys(views).length > 1 && html`<div class="sub" role="group" aria-label="质检">${Object.entries(views).map(([key, [label]]) => html`<button type="button" key=${key} aria-pressed=${String(key === view)} onclick=${() => setView(key)}>${label}</button>`)}</div>`}
    <${View} desk=${desk} api=${api} me=${me}/></div>`;
}

registerTab({ key: "quality", label: "质检", role: "agent", component: Quality });
