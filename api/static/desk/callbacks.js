/* Calls back: customers who are owed one after a talk, the first due first; taking one, and what came of it. */
const CALL_EVERY_MS = 20000;
const calls = { changed: null }; /* counts anew, after something was done here */

/* Late ones beside the name of the tab, wherever one is; without any, those that are owed. */
function CallBackBadge({ desk }) {
  const { value, reload } = useAsk(() => desk.api.get("/call-backs/count"), []);
  calls.changed = reload;
  useEffect(() => {
    const timer = setInterval(() => calls.changed?.(), CALL_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  if (!value?.open) return null;
  return value.overdue > 0 ? html`<span class="badge num">${value.overdue}<span class="sr">个回访已过期</span></span>` : html`<span class="count num">${value.open}<span class="sr">个待回访</span></span>`;
}

function FinishDialog({ api, close, one, drop, saved }) {
  const [note, setNote] = useState("");
  const doing = useDoing(close);
  const run = () => doing.run(async () => {
    await api.post("/call-backs/" + one.id + (drop ? "/drop" : "/done"), { note: note.trim() });
    toast(drop ? "已取消回访" : "回访已完成", "good");
    saved();
  });
  return html`<${Dialog} title=${(drop ? "取消回访：" : "完成回访：") + one.customer} close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label=${drop ? "取消回访" : "完成"} run=${run} close=${close} danger=${drop} disabled=${note.trim().length < 2}/>`}>
    <${TextField} label=${drop ? "为什么不回访" : "客户怎么说，事情了结没有"} value=${note} set=${setNote} lines="4" max="1000" required first hint="不要写电话号码和证件号"/><//>`;
}

function PhoneDialog({ api, close, one, shown }) {
  const [reason, setReason] = useState("电话回访");
  const doing = useDoing(close);
  const run = () => doing.run(async () => shown(await api.post("/call-backs/" + one.id + "/phone", { reason: reason.trim() })));
  return html`<${Dialog} title="显示电话" close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label="显示 5 分钟" run=${run} close=${close} disabled=${reason.trim().length < 4}/>`}>
    <p class="hint">${one.phone_on_file ? "只显示电话，到时自动隐藏。" : "没有登记电话：只找客户在这次会话和报单里留过的号码，打之前先问清是不是本人。"}谁、何时、为什么查看，都会记入审计日志。</p>
    <${TextField} label="为什么要看" value=${reason} set=${setReason} max="200" required first/><//>`;
}

function Phone({ desk, api, one }) {
  const [clear, setClear] = useState(null);
  useEffect(() => {
    if (!clear) return undefined;
    const timer = setTimeout(() => setClear(null), Math.max(0, new Date(clear.expires_at) - serverNow()));
    return () => clearTimeout(timer);
  }, [clear]);
  if (clear) return html`<span>电话 <b class="num">${clear.value}</b>（${clear.source}）<${Countdown} until=${clear.expires_at}/> <button type="button" class="link" onclick=${() => setClear(null)}>隐藏</button></span>`;
  return html`<button type="button" class="link" aria-label=${(one.phone_on_file ? "显示电话：" : "找他留的电话：") + one.customer} onclick=${() => desk.ask(PhoneDialog, { api, one, shown: setClear })}>${one.phone_on_file ? "显示电话" : "找他留的电话"}</button>`;
}

function CallBackRow({ desk, api, me, one, saved }) {
  const [busy, setBusy] = useState(false);
  const step = async (name) => {
    if (busy) return;
    setBusy(true);
    try {
      await api.post("/call-backs/" + one.id + "/" + name);
      saved();
    } catch (error) {
      failed(error);
    }
    setBusy(false);
  };
  const mayTake = !one.mine && (!one.agent || mayUse(me, "supervisor"));
  const mayRead = one.mine || mayUse(me, "supervisor");
  return html`<li class=${"wall-case" + (one.overdue ? " asks" : "")}>
    <div><b>${one.customer}</b>${one.overdue && html`<span class="tag danger">已过期</span>`}${one.segment && html`<span class="tag">${one.segment}</span>`}${one.score !== null && html`<span class=${"tag" + (one.score <= 2 ? " bad" : "")}>评 ${one.score} 分</span>`}
      ${!one.phone_on_file && html`<span class="tag">没有登记电话</span>`}${one.agent && html`<span class="tag going">${one.mine ? "我来回访" : one.agent.name + " 回访"}</span>`}</div>
    <p class="wall-last">${one.why.join("；")}${one.open_points.length > 0 && "；还没办完：" + one.open_points.join("、")}</p>
    ${(one.wrote_at || one.others > 0) && html`<p class="hint">${one.wrote_at && "结单后客户在 " + momentOf(one.wrote_at) + " 又来过，先看会话再打。"}${one.others > 0 && "这位客户另外还有 " + one.others + " 个回访，一次问完，分别填完成。"}</p>`}
    <div class="wall-foot"><span>应在 <span class="num">${momentOf(one.due_at)}</span> 前回访</span><span>服务单 ${one.handoff_id}${one.category ? " · " + one.category : ""}${one.served_by ? " · " + one.served_by.name + " 接待" : ""}</span>
      <span class="wall-deeds">${one.mine && html`<${Phone} desk=${desk} api=${api} one=${one}/>`}
        ${mayRead && html`<button type="button" class="link" aria-label=${"看会话：" + one.customer} onclick=${() => desk.show(one.conversation_id)}>看会话</button>`}
        ${mayTake && html`<button type="button" class="link" aria-label=${"我来回访：" + one.customer} aria-disabled=${String(busy)} onclick=${() => step("take")}>我来回访</button>`}
        ${one.mine && html`<button type="button" class="link" aria-label=${"放回：" + one.customer} aria-disabled=${String(busy)} onclick=${() => step("release")}>放回</button>`}
        ${(one.mine || !one.agent) && html`<button type="button" class="link" aria-label=${"完成回访：" + one.customer} onclick=${() => desk.ask(FinishDialog, { api, one, saved })}>完成</button>
          <button type="button" class="link" aria-label=${"取消回访：" + one.customer} onclick=${() => desk.ask(FinishDialog, { api, one, saved, drop: true })}>取消</button>`}</span></div></li>`;
}

function CallBacksPage({ desk, api, me }) {
  const { value, error, loading, reload: read } = useAsk(() => api.get("/call-backs"), []);
  const reload = () => (calls.changed?.(), read());
  const again = useRef(reload);
  again.current = reload;
  useEffect(() => {
    const timer = setInterval(() => again.current(), CALL_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return html`<div class="supervision"><h1 class="sr">回访</h1>
    <section class="box" aria-label="待回访"><h2>待回访<span class="count num">${value ? value.items.length : "—"}</span>${value && value.overdue > 0 && html`<span class="tag danger">全部过期 ${value.overdue} 个</span>`}</h2>
      <p class="hint">结单后要再问一声的客户，先到期的在前。客户类别仅供内部，不对客户说。</p>
      ${loading && !value && html`<${Spinner}/>`}${error && html`<${Failed} error=${error} retry=${reload}/>`}
      ${value && (value.items.length ? html`<ul>${value.items.map((one) => html`<${CallBackRow} key=${one.id} desk=${desk} api=${api} me=${me} one=${one} saved=${reload}/>`)}</ul>` : html`<${Empty} glyph="done" title="没有要回访的客户"/>`)}</section></div>`;
}

registerTab({ key: "callbacks", label: "回访", role: "agent", component: CallBacksPage, badge: CallBackBadge });
