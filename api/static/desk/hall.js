/* The hall: opening the conversation of whoever stands at the counter, and papers that bring customers into the chat. */
const grouped = (text) => text.replace(/\D/g, "").slice(0, 8).replace(/^(\d{4})(?=\d)/, "$1 ");

function Counter({ desk, api }) {
  const [code, setCode] = useState("");
  const [state, setState] = useState({ busy: false, error: "", held: null });
  const open = async (event) => {
    event.preventDefault();
    if (state.busy) return;
    setState({ busy: true, error: "", held: null });
    try {
      const found = await api.post("/hall/open", { code });
      setCode("");
      setState({ busy: false, error: "", held: found.holder ? found : null });
      if (found.holder) return;
      toast("会话已打开，现在由您接待", "good");
      desk.show(found.conversation_id);
    } catch (error) {
      const until = error.document?.until;
      setState({ busy: false, error: reasonWords(error) + (until ? "（" + timeOf(until) + " 以后）" : ""), held: null });
    }
  };
  return html`<section class="box"><h2>打开客户的会话</h2>
    <p class="hint">请客户在对话里发“柜台码”，或者点公众号菜单“办事找人”里的“营业厅柜台码”，把收到的 8 位数字报给您。</p>
    <form class="hall-code" onsubmit=${open}>
      <${TextField} label="柜台码" inputmode="numeric" autocomplete="off" max="20" value=${code} set=${(text) => setCode(grouped(text))} placeholder="1234 5678" error=${state.error}/>
      <button type="submit" class="primary" aria-disabled=${String(state.busy)}><${Glyph} name="search"/>${state.busy ? "正在打开…" : "打开会话"}</button>
    </form>
    <div role="status">${state.held && html`<${Held} desk=${desk} api=${api} found=${state.held}/>`}</div></section>`;
}

/* Another one has it: read along, and ask for it. */
function Held({ desk, api, found }) {
  const [asked, setAsked] = useState(false);
  const ask = () => api.post("/hall/ask", { conversation_id: found.conversation_id }).then(() => setAsked(true), failed);
  return html`<div class="banner strong hall-held"><${Glyph} name="lock"/><span>这位客户正由 <b>${found.holder.name}</b> 接待。您可以旁看，也可以请他把会话转给您。</span>
    <button type="button" onclick=${() => desk.show(found.conversation_id)}><${Glyph} name="eye"/>旁看会话</button>
    ${asked ? html`<span>已告诉 ${found.holder.name}</span>` : html`<button type="button" class="primary" onclick=${ask}><${Glyph} name="hand"/>请他转给我</button>`}</div>`;
}

const PAPER_KINDS = { poster: "业务海报", slip: "工单凭条" };

function paperState(one) {
  if (one.over) return html`<span class="tag">已过期或作废</span>`;
  return one.scanned_at ? html`<span class="tag ok">${momentOf(one.scanned_at)} 已扫</span>` : html`<span class="tag">可用</span>`;
}

const validity = (one) => (one.expires_at ? momentOf(one.expires_at) + " 前有效" : "长期有效");

/* The paper as it is printed: A5, nothing else on the page. */
function PaperDialog({ close, one }) {
  const slip = one.kind === "slip";
  return html`<${Dialog} title=${PAPER_KINDS[one.kind]} close=${close} name="paper-dialog" foot=${html`<button type="button" onclick=${close}>关闭</button><button type="button" class="primary" data-first onclick=${() => window.print()}><${Glyph} name="order"/>打印（A5）</button>`}>
    <article class="paper" aria-label="打印内容">
      <header><${Mark}/><span>供电营业厅 · 电小服</span></header>
      <h3>${one.title}</h3>
      ${slip && html`<p class="paper-order">工单号 <b class="num">${one.order}</b></p>`}
      <img src=${DESK + "/hall/papers/" + one.id + "/code"} alt=${slip ? "查看这张工单进度的二维码" : "办理“" + one.title + "”的二维码"}/>
      <p class="paper-how">${one.wechat ? "微信扫一扫，" : "用微信或手机浏览器扫一扫，"}${slip ? "随时查看办理进度和答应您的时间" : "在手机上直接办理，办到哪一步都能看到"}</p>
      ${slip && html`<p>为保护您的信息，只有第一位扫码的人能打开，请收好，不要拍照外传。</p>`}
      <p class="paper-end">${validity(one)}　24 小时热线 95598</p>
      ${one.address && html`<p class="paper-address">扫不了码，可以在浏览器里输入：${one.address}</p>`}
    </article><//>`;
}

function MakeDialog({ desk, api, close, saved }) {
  const [kind, setKind] = useState("slip");
  const [order, setOrder] = useState("");
  const [business, setBusiness] = useState("");
  const [days, setDays] = useState("");
  const rows = useAsk(() => api.get("/businesses"), []);
  const doing = useDoing(close);
  const slip = kind === "slip";
  const run = () => doing.run(async () => {
    const body = slip ? { order_no: order.trim() } : { business };
    const one = await api.post("/hall/papers", { ...body, ...(days && { days: Number(days) }) });
    saved();
    setTimeout(() => desk.ask(PaperDialog, { one }));
  });
  return html`<${Dialog} title="打印单子" close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label="生成" run=${run} close=${close} disabled=${slip ? !order.trim() : !business}/>`}>
    <${Choices} label="打什么" name="paper" value=${kind} set=${setKind} options=${[{ value: "slip", label: "工单凭条", note: "客户扫码看自己这张工单" }, { value: "poster", label: "业务海报", note: "谁扫谁办，贴在大厅里" }]}/>
    ${slip
      ? html`<${TextField} label="工单号" inputmode="numeric" autocomplete="off" max="30" value=${order} set=${setOrder} required/>`
      : html`<${SelectField} label="业务" value=${business} set=${setBusiness} options=${(rows.value || []).map((one) => ({ value: one.key, label: one.title }))} error=${rows.error && reasonWords(rows.error)} required/>`}
    <${TextField} label="有效天数" type="number" min="1" max="30" value=${days} set=${setDays} hint=${slip ? "1 到 30 天，不填是 30 天" : "1 到 30 天，不填就长期有效"}/><//>`;
}

function WithdrawDialog({ api, close, one, saved }) {
  const doing = useDoing(close);
  const run = () => doing.run(async () => {
    await api.del("/hall/papers/" + one.id);
    saved();
  });
  return html`<${Dialog} title=${"作废：" + one.title} close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label="作废" run=${run} close=${close} danger/>`}>
    <p>作废后再扫这张单子的二维码，客户会看到“已经过期或作废”。已经打开过的客户照常看自己的业务。</p><//>`;
}

function PaperTable({ desk, api }) {
  const first = useAsk(() => api.get("/hall/papers"), []);
  const [older, setOlder] = useState([]);
  const [more, setMore] = useState(null);
  useEffect(() => (setOlder([]), setMore(null)), [first.value]);
  if (!first.value) return first.error ? html`<${Failed} error=${first.error} retry=${first.reload}/>` : html`<${Spinner}/>`;
  const rows = [...first.value.papers, ...older];
  const next = () => api.get("/hall/papers?before=" + rows[rows.length - 1].id).then((page) => (setOlder([...older, ...page.papers]), setMore(page.more)), failed);
  return html`<section class="box"><h2>二维码单子<button type="button" class="primary" onclick=${() => desk.ask(MakeDialog, { api, saved: first.reload })}><${Glyph} name="plus"/>打印单子</button></h2>
    ${rows.length ? html`<table class="grid"><caption class="sr">二维码单子</caption><thead><tr><th scope="col">编号</th><th scope="col">种类</th><th scope="col">内容</th><th scope="col">有效期</th><th scope="col">状态</th><th scope="col">谁打的</th><th scope="col">操作</th></tr></thead>
      <tbody>${rows.map((one) => html`<tr key=${one.id} class=${one.over ? "off" : ""}><td class="num">${one.id}</td><td>${PAPER_KINDS[one.kind]}</td><th scope="row">${one.title}${one.order && html`　<span class="num">${one.order}</span>`}</th><td>${validity(one)}</td><td>${paperState(one)}</td><td>${one.by?.name || "—"}　${momentOf(one.created_at)}</td>
        <td class="wall-deeds">${!one.over && html`<button type="button" class="link" aria-label=${"查看和打印：" + one.title + " " + one.id} onclick=${() => desk.ask(PaperDialog, { one })}>查看和打印</button><button type="button" class="link" aria-label=${"作废：" + one.title + " " + one.id} onclick=${() => desk.ask(WithdrawDialog, { api, one, saved: first.reload })}>作废</button>`}</td></tr>`)}</tbody></table>
      ${(more ?? first.value.more) && html`<button type="button" class="link" onclick=${next}>再看更早的</button>`}` : html`<${Empty} glyph="order" title="还没有打过单子"/>`}</section>`;
}

const Hall = ({ desk, api }) => html`<div class="supervision"><h1 class="sr">营业厅</h1><${Counter} desk=${desk} api=${api}/><${PaperTable} desk=${desk} api=${api}/></div>`;

registerTab({ key: "hall", label: "营业厅", role: "agent", component: Hall });
