/* What goes out of our own accord, and what could not be sent: stop, go on, send again, give up. */
const LOOK_MS = 4000;
const sentOf = (one) => (one.counts.sent || 0) + (one.counts.skipped || 0) + (one.counts.dead || 0);
const allOf = (one) => Object.values(one.counts).reduce((sum, count) => sum + count, 0);

/* A question before something that many people notice. */
function SureDialog({ close, title, text, label, danger, work }) {
  const doing = useDoing(close);
  return html`<${Dialog} title=${title} close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label=${label} run=${() => doing.run(work)} close=${close} danger=${danger}/>`}><p>${text}</p><//>`;
}

function GiveUpDialog({ api, close, one, saved }) {
  const [why, setWhy] = useState("");
  const doing = useDoing(close);
  const run = () => doing.run(async () => {
    await api.post("/outgoing/dead/" + one.source + "/" + one.id + "/give_up", { why });
    saved();
  });
  return html`<${Dialog} title="不再发送" close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label="不再发" run=${run} close=${close} danger disabled=${why.trim().length < 2}/>`}>
    <p>${one.source_text}“${one.kind}”不再发送，原因会记入审计。</p>
    <${TextField} label="原因" value=${why} set=${setWhy} max="100" required first hint="例如：客户已经电话答复过"/><//>`;
}

/* How many a second went out since the last look. */
function useSpeed(broadcasts, now) {
  const before = useRef(new Map());
  const speeds = new Map();
  for (const one of broadcasts) {
    const last = before.current.get(one.id);
    const seconds = last ? (new Date(now) - last.at) / 1000 : 0;
    if (last && seconds > 0) speeds.set(one.id, Math.max(0, (sentOf(one) - last.sent) / seconds));
    else if (last) speeds.set(one.id, last.speed);
  }
  useEffect(() => {
    for (const one of broadcasts) before.current.set(one.id, { at: new Date(now), sent: sentOf(one), speed: speeds.get(one.id) });
  }, [now]);
  return speeds;
}

function BroadcastRow({ desk, api, one, speed, rate, saved }) {
  const all = allOf(one);
  const done = sentOf(one);
  const waiting = (one.counts.waiting || 0) + (one.counts.sending || 0);
  const running = one.state === "running";
  const left = running && one.fanned_out && waiting > 0 ? "，约还要 " + waitWords(Math.ceil(waiting / (speed || rate))) : "";
  const stop = () => desk.ask(SureDialog, { title: "停止群发", label: "停止", danger: true, text: "“" + one.kind + "”还有 " + waiting + " 位客户没有收到。停止后一秒内不再发出，已经发出的收不回来；之后可以从停下的地方继续。", work: () => api.post("/outgoing/broadcasts/" + one.id + "/stop").then(saved) });
  const resume = () => desk.ask(SureDialog, { title: "继续群发", label: "继续", text: "从停下的地方接着发给剩下的 " + waiting + " 位客户，已收到的不会再收到。", work: () => api.post("/outgoing/broadcasts/" + one.id + "/resume").then(saved) });
  return html`<tr class=${one.state === "stopped" ? "bad-row" : ""}><td class="num">${one.id}</td><th scope="row">${one.kind}<small class="outgoing-key">${one.key}</small></th>
    <td>${one.expired && one.state !== "done" ? "已过有效时间" : one.state_text}${one.stopped_by && html`<small class="outgoing-key">${one.stopped_by}　${momentOf(one.ended_at)}</small>`}</td>
    <td class="outgoing-progress"><progress max=${Math.max(all, 1)} value=${done} aria-label=${one.kind + " " + one.id + " 的进度"}></progress>
      <span class="num">${done} / ${all}${one.fanned_out ? "" : "（还在列名单）"}</span><small>${running ? (speed === undefined ? "" : "每秒 " + Math.round(speed * 10) / 10 + " 条" + left) : ""}</small></td>
    <td class="num">${one.counts.sent || 0}</td><td class="num">${waiting}</td><td class="num">${one.counts.skipped || 0}</td><td class=${"num" + (one.counts.dead ? " bad" : "")}>${one.counts.dead || 0}</td>
    <td><time datetime=${one.created_at}>${momentOf(one.created_at)}</time></td>
    <td class="wall-deeds">${running && html`<button type="button" class="danger" aria-label=${"停止：" + one.kind + " " + one.id} onclick=${stop}><${Glyph} name="pause"/>停止</button>`}${one.state === "stopped" && !one.expired && html`<button type="button" aria-label=${"继续：" + one.kind + " " + one.id} onclick=${resume}><${Glyph} name="play"/>继续</button>`}</td></tr>`;
}

const Broadcasts = ({ desk, api, value, speeds, saved }) => html`<section class="box"><h2>主动通知<small>允许每秒 ${value.rate} 条</small></h2>
  ${value.broadcasts.length ? html`<div class="scroll-x"><table class="grid"><caption class="sr">主动通知</caption><thead><tr><th scope="col">编号</th><th scope="col">通知</th><th scope="col">状态</th><th scope="col">进度</th><th scope="col">已发</th><th scope="col">待发</th><th scope="col">不用发</th><th scope="col">没发出</th><th scope="col">开始</th><th scope="col">操作</th></tr></thead>
    <tbody>${value.broadcasts.map((one) => html`<${BroadcastRow} key=${one.id} desk=${desk} api=${api} one=${one} rate=${value.rate} speed=${speeds.get(one.id)} saved=${saved}/>`)}</tbody></table></div>` : html`<${Empty} glyph="bell" title="还没有发过主动通知"/>`}</section>`;

function Letters({ desk, api, value, saved }) {
  const total = Object.values(value.dead_counts).reduce((sum, count) => sum + count, 0);
  const again = (one) => api.post("/outgoing/dead/" + one.source + "/" + one.id + "/again").then(() => (toast("已重新放进发送队列", "good"), saved()), failed);
  const all = () => desk.ask(SureDialog, { title: "全部再发一次", label: "全部再发", text: "把没发出的 " + total + " 条都再发一次；已经过了有效时间的通知不会再发。", work: async () => {
    const { again: count } = await api.post("/outgoing/dead/again");
    toast(count + " 条已重新放进发送队列", "good");
    saved();
  } });
  return html`<section class="box"><h2>没发出的<span class=${"tag" + (total ? " flag" : "")}>${total} 条</span>${total > 0 && html`<button type="button" onclick=${all}><${Glyph} name="retry"/>全部再发一次</button>`}</h2>
    ${value.dead.length ? html`<div class="scroll-x"><table class="grid"><caption class="sr">没发出的消息</caption><thead><tr><th scope="col">编号</th><th scope="col">什么消息</th><th scope="col">给谁</th><th scope="col">时间</th><th scope="col">试过</th><th scope="col">为什么没发出</th><th scope="col">操作</th></tr></thead>
      <tbody>${value.dead.map((one) => html`<tr key=${one.source + one.id}><td class="num">${one.id}</td><th scope="row">${one.kind}<small class="outgoing-key">${one.source_text}${one.broadcast_id ? " · 群发 " + one.broadcast_id : ""}</small></th><td>${one.customer ? html`客户 <span class="num">${one.customer}</span>` : "未绑定的客户"}</td><td><time datetime=${one.at}>${momentOf(one.at)}</time></td><td class="num">${one.attempts} 次</td><td class="long">${one.reason}${one.error && html`<small class="outgoing-key">${one.error}</small>`}</td>
        <td class="wall-deeds">${one.conversation_id && html`<button type="button" class="link" aria-label=${"看会话：" + one.kind + " " + one.id} onclick=${() => desk.show(one.conversation_id)}>看会话</button>`}<button type="button" class="link" aria-label=${"再发一次：" + one.kind + " " + one.id} onclick=${() => again(one)}>再发一次</button><button type="button" class="link" aria-label=${"不再发：" + one.kind + " " + one.id} onclick=${() => desk.ask(GiveUpDialog, { api, one, saved })}>不再发</button></td></tr>`)}</tbody></table></div>` : html`<${Empty} glyph="done" title="没有发不出去的消息"/>`}</section>`;
}

function Outgoing({ desk, api }) {
  const { value, error, reload } = useAsk(() => api.get("/outgoing"), []);
  const speeds = useSpeed(value?.broadcasts || [], value?.now);
  useEffect(() => {
    const looking = setInterval(reload, LOOK_MS);
    return () => clearInterval(looking);
  }, []);
  if (!value) return error ? html`<${Failed} error=${error} retry=${reload}/>` : html`<${Spinner}/>`;
  return html`<div class="supervision"><h1 class="sr">外发消息</h1>${error && html`<p class="wall-stale" role="status">暂时读不到最新数字，正在重试</p>`}
    <${Broadcasts} desk=${desk} api=${api} value=${value} speeds=${speeds} saved=${reload}/><${Letters} desk=${desk} api=${api} value=${value} saved=${reload}/></div>`;
}

registerTab({ key: "outgoing", label: "外发消息", role: "supervisor", component: Outgoing });
