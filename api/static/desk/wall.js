/* The supervisor's wall: who waits, who works, what is late; stepping in; and the figures of some days with what is
   behind each of them. */
const WALL_EVERY_MS = 10000;
const WALL_AT_MOST_MS = 1000;

const percent = (share) => (share === null || share === undefined ? "—" : Math.round(share * 1000) / 10 + "%");
const span = (seconds) => (seconds === null || seconds === undefined ? "—" : waitWords(seconds));

/* Reads again when something happens, at most once a second, and now and then by itself. */
function useLive(desk, load) {
  const state = useAsk(load, []);
  const reload = useRef(state.reload);
  reload.current = state.reload;
  useEffect(() => {
    let timer = null;
    let last = Date.now();
    const soon = () => {
      if (timer) return;
      timer = setTimeout(() => {
        timer = null;
        last = Date.now();
        reload.current();
      }, Math.max(0, last + WALL_AT_MOST_MS - Date.now()));
    };
    const leave = desk.onEvent(soon);
    const regular = setInterval(soon, WALL_EVERY_MS);
    return () => {
      leave();
      clearInterval(regular);
      clearTimeout(timer);
    };
  }, []);
  return state;
}

const Tile = ({ label, value, note, tone }) => html`
  <div class=${"tile " + (tone || "")}><dt>${label}</dt><dd class="num">${value}</dd>${note && html`<dd class="tile-note">${note}</dd>`}</div>`;

/* Nobody on the spot: late ones, and those about to be. */
const arriving = (figures, state) => (figures.arrivals || []).filter((one) => one.state === state);

function Tiles({ figures }) {
  const late = figures.breaches.length + arriving(figures, "breached").length;
  const soon = figures.warnings.length + arriving(figures, "running").length;
  return html`<dl class="tiles" aria-label="今日数据">
    <${Tile} label="正在排队" value=${figures.waiting} note=${figures.waiting ? "最久 " + span(figures.longest_wait_seconds) : "没有人在等"} tone=${figures.longest_wait_seconds > 720 ? "bad" : ""}/>
    <${Tile} label="超时" value=${late} note=${soon + " 个快到时限"} tone=${late ? "bad" : soon ? "warm" : ""}/>
    <${Tile} label="15 分钟内响应" value=${percent(figures.within_15min)} note=${"3 分钟内 " + percent(figures.within_3min)}/>
    <${Tile} label="平均等待" value=${span(figures.average_wait_seconds)} note=${"今日答复 " + figures.answered_today + " / 转人工 " + figures.requested_today}/>
    <${Tile} label="2 小时内办结" value=${percent(figures.closure_within_2h)}/>
    <${Tile} label="排队中离开" value=${figures.left_queue} note=${figures.messages + " 条留言待处理"}/>
    <${Tile} label="过期回访" value=${figures.call_backs.overdue} note=${"待回访共 " + figures.call_backs.open + " 个"} tone=${figures.call_backs.overdue ? "bad" : ""}/>
    <${Tile} label="满意度" value=${figures.satisfaction === null ? "—" : figures.satisfaction.toFixed(1)} note=${figures.satisfaction_count + " 份评价，满分 5"}/>
  </dl>`;
}

const SkillStrip = ({ skills }) => html`
  <table class="grid skills"><caption class="sr">各技能组</caption>
    <thead><tr><th scope="col">技能组</th><th scope="col">班次</th><th scope="col">在岗</th><th scope="col">排队</th><th scope="col">新来的预计等</th></tr></thead>
    <tbody>${skills.map((one) => html`<tr key=${one.skill} class=${one.waiting && !one.on_duty ? "bad-row" : ""}>
      <th scope="row">${skillWord(one.skill)}</th><td>${one.open ? "营业中" : "已下班"}</td><td class="num">${one.on_duty}</td><td class="num">${one.waiting}</td>
      <td class="num">${one.expected_wait_seconds === null ? html`<span class="bad">无人在岗</span>` : (one.expected_wait_seconds ? "约 " + Math.ceil(one.expected_wait_seconds / 60) + " 分钟" : "马上") + (one.on_duty ? "" : "（由其他组接）")}</td></tr>`)}</tbody></table>`;

/* What a supervisor can do with one conversation. */
function Deeds({ desk, one, held }) {
  const ask = (component) => desk.ask(component, { one });
  const who = customerOf(one);
  return html`<span class="wall-deeds">
    <button type="button" class="link" aria-label=${"旁听：" + who} onclick=${() => desk.show(one.conversation_id)}>旁听</button>
    ${held && html`<button type="button" class="link" aria-label=${"耳语：" + who} onclick=${() => ask(WhisperDialog)}>耳语</button>`}
    <button type="button" class="link" aria-label=${"改派：" + who} onclick=${() => ask(ReassignDialog)}>改派</button>
    <button type="button" class="link" aria-label=${"接管：" + who} onclick=${() => ask(TakeOverDialog)}>接管</button></span>`;
}

const CaseLine = ({ desk, one, held, asks, children }) => html`
  <li class=${"wall-case" + (asks ? " asks" : "")}><div>${asks && html`<span class="tag danger">求助</span>`}<b>${customerOf(one)}</b><span class=${"tag p" + one.priority}>${priorityOf(one)}</span><span class="tag">${reasonOf(one)}</span><span class="tag">${skillWord(one.skill)}</span>
    ${one.repeat > 0 && html`<span class="tag repeat">72 小时内第 ${one.repeat + 1} 次</span>`}${one.paused_reason && html`<span class="clock paused">计时已暂停</span>`}</div>
    ${one.last_message && html`<p class="wall-last">${brief(one.last_message.text, 60)}</p>`}
    <div class="wall-foot">${children}<${ClockBadge} name="first_response" clock=${one.clocks?.first_response} small/><${ClockBadge} name="closure" clock=${one.clocks?.closure} small/><${Deeds} desk=${desk} one=${one} held=${held}/></div></li>`;

function Late({ desk, figures }) {
  const all = [...figures.breaches.map((one) => [one, "超时"]), ...figures.warnings.map((one) => [one, "快到时限"])];
  const orders = figures.arrivals || [];
  return html`<section class="box" aria-label="超时与预警"><h2>超时与预警<span class="count num">${all.length + orders.length}</span></h2>
    ${figures.arrivals === null && html`<p class="nothing">工单系统暂时读不到，到场超时没有列出</p>`}
    ${all.length + orders.length ? html`<ul>${orders.map((one) => html`<li class="wall-case" key=${one.order_no}><div>${one.conversation_id ? html`<button type="button" class="link" onclick=${() => desk.show(one.conversation_id)}>${one.title} ${one.order_no}</button>` : html`<b>${one.title} ${one.order_no}</b>`}<span class=${"tag " + (one.state === "breached" ? "danger" : "flag")}>${one.state === "breached" ? "到场超时" : "快到到场时限"}</span></div>
      <div class="wall-foot"><span>应在 <span class="num">${momentOf(one.due_at)}</span> 前到现场，还没到</span></div></li>`)}${all.map(([one, word]) => html`<${CaseLine} key=${one.handoff_id} desk=${desk} one=${one} held=${one.holder}>
      <span class=${"tag " + (word === "超时" ? "danger" : "flag")}>${word}</span><span>${one.holder ? one.holder.name : "无人接待"}</span><//>`)}</ul>` : html`<p class="nothing">没有超时，也没有快到时限的</p>`}</section>`;
}

const PROMISES = { arrival: "到现场", restore: "恢复供电", contact: "联系客户", answer: "答复客户", complete: "办结" };
const promiseOf = (one) => (one.order_no ? one.title + " " + one.order_no : one.area ? one.area + "停电" : "服务单 " + one.handoff_id);

/* What was promised to somebody and has passed, of orders, outages and cases. */
function PromisesLate({ desk, promises }) {
  if (promises && !promises.length) return null;
  return html`<section class="box" aria-label="到期未兑现的承诺"><h2>到期未兑现的承诺<span class="count num">${promises ? promises.length : "—"}</span></h2>
    ${promises ? html`<ul>${promises.map((one) => html`<li class="wall-case" key=${promiseOf(one) + one.kind}><div><button type="button" class="link" onclick=${() => desk.show(one.conversation_id)}>${promiseOf(one)}</button><span class="tag danger">已过期</span></div>
      <div class="wall-foot"><span>答应 <span class="num">${momentOf(one.due_at)}</span> 前${PROMISES[one.kind] || one.kind}</span>${one.told > 1 && html`<span>告诉过 ${one.told} 位客户</span>`}</div></li>`)}</ul>` : html`<p class="nothing">工单系统暂时读不到</p>`}</section>`;
}

/* Agents who asked, until somebody opens the conversation, whispers, or takes it in hand. */
function Helps({ desk, helps }) {
  if (!helps.length) return null;
  return html`<section class="box" aria-label="求助"><h2>求助<span class="count num">${helps.length}</span></h2>
    <ul>${helps.map(({ case: one, note }) => html`<${CaseLine} key=${note.id} desk=${desk} one=${one} held=${one.holder} asks><span><b>${note.agent.name}</b>：${brief(note.text, 80)}</span><${Waited} since=${note.at}/><//>`)}</ul></section>`;
}

const QueueBox = ({ desk, queue, messages }) => html`
  <section class="box" aria-label="排队"><h2>排队<span class="count num">${queue.length}</span></h2>
    ${queue.length ? html`<ul>${queue.map((one) => html`<${CaseLine} key=${one.handoff_id} desk=${desk} one=${one}><span class="num">第 ${one.place ?? "—"} 位</span><${Waited} since=${one.requested_at}/>${one.offered_to && html`<span>正派给 ${desk.agentName(one.offered_to)}</span>`}<//>`)}</ul>` : html`<p class="nothing">没有人在排队</p>`}
    ${messages.length > 0 && html`<h2>留言<span class="count num">${messages.length}</span></h2><ul>${messages.map((one) => html`<${CaseLine} key=${one.handoff_id} desk=${desk} one=${one}><span>${momentOf(one.due_at)} 前回复</span><//>`)}</ul>`}</section>`;

function AgentBox({ desk, one, asking }) {
  const full = one.load >= one.capacity;
  return html`<li class=${"wall-agent" + (one.present || one.status === "away" ? "" : " absent")}>
    <div class="wall-agent-head"><i class=${"dot " + (one.present || one.status === "away" ? one.status : "offline")} aria-hidden="true"></i><b>${one.name}</b><span class="count">${one.staff_no}</span>
      <span class="tag">${one.present ? STATUS[one.status] : one.status === "online" ? "连接断开" : STATUS[one.status]}</span>${one.skills.map((skill) => html`<span class="tag" key=${skill}>${skillWord(skill)}</span>`)}
      <span class=${"wall-load num" + (full && one.load ? " full" : "")}>${one.load}/${one.capacity}</span></div>
    <meter min="0" max=${Math.max(1, one.capacity)} value=${one.load} aria-label=${one.name + "的接待量"}></meter>
    ${one.wrap_up > 0 && html`<p class="count">${one.wrap_up} 个待小结</p>`}
    ${one.talking.length > 0 && html`<ul>${one.talking.map((talk) => html`<${CaseLine} key=${talk.handoff_id} desk=${desk} one=${talk} held asks=${asking.has(talk.handoff_id)}><span class="count">${talk.unread ? talk.unread + " 条未回" : "已回复"}</span><//>`)}</ul>`}</li>`;
}

function Agents({ desk, agents, helps }) {
  const asking = new Set(helps.map((one) => one.case.handoff_id));
  const here = (one) => (one.present ? 2 : one.status === "away" ? 1 : 0);
  const ordered = [...agents].sort((a, b) => here(b) - here(a) || b.load - a.load || a.id - b.id);
  return html`<section class="box" aria-label="坐席"><h2>坐席<span class="count num">${agents.filter((one) => one.present).length} 人在岗 / ${agents.length}</span></h2>
    <ul class="wall-agents">${ordered.map((one) => html`<${AgentBox} key=${one.id} desk=${desk} one=${one} asking=${asking}/>`)}</ul></section>`;
}

function WhisperDialog({ desk, close, one }) {
  const [text, setText] = useState("");
  const doing = useDoing(close);
  const run = () => doing.run(async () => {
    await desk.api.post("/conversations/" + one.conversation_id + "/whisper", { text: text.trim() });
    toast("已发给 " + (one.holder?.name || "坐席"), "good");
  });
  return html`<${Dialog} title=${"对 " + (one.holder?.name || "坐席") + " 耳语"} close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label="发送" run=${run} close=${close} disabled=${!text.trim()}/>`}>
    <${TextField} label="只有这位坐席看得到" value=${text} set=${setText} lines="3" max="2000" first required/><//>`;
}

function ReassignDialog({ desk, close, one }) {
  const [form, setForm] = useState({ agent: "", note: "" });
  const doing = useDoing(close);
  const there = (agent) => agent.present && agent.status === "online";
  const rank = (agent) => (there(agent) ? 0 : 10) + (agent.skills.includes(one.skill) ? 0 : 1);
  const agents = (desk.options?.agents || []).filter((agent) => agent.id !== one.holder?.id && agent.capacity > 0 && agent.skills.length);
  agents.sort((a, b) => rank(a) - rank(b) || a.load - b.load);
  const run = () => doing.run(async () => {
    await desk.api.post("/conversations/" + one.conversation_id + "/reassign", { agent_id: Number(form.agent), note: form.note.trim() });
    toast("已改派", "good");
  });
  const option = (agent) => ({
    value: agent.id, label: agent.name, off: !there(agent),
    note: [agent.present || agent.status === "away" ? STATUS[agent.status] : STATUS.offline, agent.skills.map(skillWord).join("、"), agent.load + "/" + agent.capacity + " 个会话"].join(" · "),
  });
  return html`<${Dialog} title=${"改派：" + customerOf(one)} close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label="改派" run=${run} close=${close} disabled=${!form.agent || !form.note.trim()}/>`}>
    <div class="scroll-choices"><${Choices} label="交给" name="agent" value=${form.agent} set=${(agent) => setForm({ ...form, agent })} options=${agents.map(option)} required/></div>
    <${TextField} label="说明" value=${form.note} set=${(note) => setForm({ ...form, note })} lines="3" max="2000" hint="接手的人会看到，客户看不到" required/><//>`;
}

function TakeOverDialog({ desk, close, one }) {
  const doing = useDoing(close);
  const run = () => doing.run(async () => {
    await desk.api.post("/conversations/" + one.conversation_id + "/take_over");
    desk.show(one.conversation_id);
  });
  return html`<${Dialog} title=${"接管：" + customerOf(one)} close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label="接管" run=${run} close=${close}/>`}>
    <p>${one.holder ? "会话从 " + one.holder.name + " 转到您手上，客户会看到换人了。" : "会话直接由您接待，不再排队。"}</p><//>`;
}

const KINDS = {
  requested: "要求人工", queued: "排队", offered: "派单", offer_expired: "派单超时", declined: "不接", claimed: "接入", vanished: "坐席掉线", agent_replied: "坐席回复", customer_wrote: "客户发言",
  paused: "暂停计时", resumed: "恢复计时", transferred: "转接", reassigned: "改派", taken_over: "接管", help_asked: "求助班长", help_seen: "班长已看求助", whispered: "耳语", wrap_up: "结束服务", reopened: "重新打开",
  handed_back: "交还电小服", closed: "关闭", left_queue: "离开排队", left_message: "留言", promised: "承诺时间", warned: "预警", breached: "超时", escalated: "升级", survey_asked: "请客户评价", survey_skipped: "未请评价", survey_answered: "客户评价",
};
const STATES = { running: "计时中", paused: "已暂停", met: "达标", breached: "超时", none: "不计" };

function EventsDialog({ desk, close, case_id }) {
  const [clock, setClock] = useState("first_response");
  const { value, error, loading, reload } = useAsk(() => desk.api.get("/figures/" + case_id), [case_id]);
  const one = value?.clocks[clock];
  const behind = new Set(one?.events || []);
  return html`<${Dialog} title=${"服务单 " + case_id + " 的计时"} close=${close} size="large">
    ${loading && html`<${Spinner}/>`}${error && html`<${Failed} error=${error} retry=${reload}/>`}
    ${one && html`<${Choices} label="时钟" name="clock" value=${clock} set=${setClock} options=${Object.keys(value.clocks).map((key) => ({ value: key, label: CLOCKS[key] }))}/>
      <p>${STATES[one.state]}，计时 <b class="num">${waitWords(one.elapsed_seconds)}</b>，承诺 ${momentOf(one.due_at) || "—"} 前。加粗的事件决定了这个数字。</p>
      <table class="grid"><caption class="sr">事件</caption><thead><tr><th scope="col">时间</th><th scope="col">事件</th><th scope="col">坐席</th></tr></thead>
        <tbody>${value.events.map((event) => html`<tr key=${event.id} class=${behind.has(event.id) ? "behind" : ""}><td class="num"><time datetime=${event.at}>${dayOf(event.at)} ${new Date(event.at).toLocaleTimeString("zh-CN", { timeZone: ZONE, hour12: false })}</time></td><td>${KINDS[event.kind] || event.kind}</td><td>${event.agent?.name || ""}</td></tr>`)}</tbody></table>`}<//>`;
}

function ClockBox({ desk, name, one }) {
  if (!one) return html`<section class="box"><h2>${CLOCKS[name]}</h2><p class="nothing">工单系统暂时读不到</p></section>`;
  const open = (id) => desk.ask(EventsDialog, { case_id: id });
  return html`<section class="box" aria-label=${CLOCKS[name]}><h2>${CLOCKS[name]}<span class="count num">${one.count} 单</span></h2>
    <dl class="tiles small"><${Tile} label="达标率" value=${percent(one.share)}/>${name === "first_response" && html`<${Tile} label="3 分钟内" value=${percent(one.within_aim)}/>`}<${Tile} label="超时" value=${one.breached} tone=${one.breached ? "bad" : ""}/><${Tile} label="中位数" value=${span(one.median_seconds)}/><${Tile} label="九成在" value=${span(one.p90_seconds)}/><${Tile} label="还在计时" value=${one.open}/></dl>
    ${one.breached_cases.length > 0 && html`<p class="count">超时的：${one.breached_cases.slice(0, 60).map((id) => (name === "arrival" ? html`<span class="tag" key=${id}>${id}</span> ` : html`<button type="button" class="link num" key=${id} aria-label=${"服务单 " + id + " 的事件"} onclick=${() => open(id)}>${id}</button>`))}</p>`}
    ${name !== "arrival" && one.cases.length > 0 && html`<details><summary>全部 ${one.cases.length} 单</summary><p>${one.cases.slice(0, 400).map((id) => html`<button type="button" class="link num" key=${id} onclick=${() => open(id)}>${id}</button>`)}</p></details>`}</section>`;
}

/* Today in Shanghai as a date field writes it. */
const today = (desk) => new Intl.DateTimeFormat("en-CA", { timeZone: ZONE }).format(desk.now());

function Days({ desk, api }) {
  const [days, setDays] = useState({ from: today(desk), to: today(desk) });
  const query = "?from=" + days.from + "&to=" + days.to;
  const { value, error, loading, reload } = useAsk(() => api.get("/figures" + query), [query]);
  const field = (key, label) => html`<${Field} label=${label}>${(control) => html`<input ...${control} type="date" max=${today(desk)} value=${days[key]} onchange=${(e) => e.target.value && setDays({ ...days, [key]: e.target.value })}/>`}<//>`;
  return html`<div class="days">${field("from", "从")}${field("to", "到")}<a class="button" href=${DESK + "/export/cases.csv" + query} download>导出表格</a></div>
    ${loading && !value && html`<${Spinner}/>`}${error && html`<${Failed} error=${error} retry=${reload}/>`}
    ${value && !error && html`<dl class="tiles"><${Tile} label="转人工" value=${value.cases}/><${Tile} label="有坐席答复" value=${value.answered}/><${Tile} label="排队中离开" value=${value.left_queue}/><${Tile} label="留言" value=${value.messages}/><${Tile} label="转接" value=${value.transfers}/><${Tile} label="重开" value=${value.reopened}/><${Tile} label="坐席掉线" value=${value.vanished}/></dl>
      <div class="three">${["first_response", "closure", "arrival"].map((name) => html`<${ClockBox} key=${name} desk=${desk} name=${name} one=${value[name]}/>`)}</div>`}`;
}

function Present({ desk, api }) {
  const { value, error, reload } = useLive(desk, () => api.get("/wall"));
  if (!value) return error ? html`<${Failed} error=${error} retry=${reload}/>` : html`<${Spinner}/>`;
  return html`${error && html`<p class="wall-stale" role="status">数据停在 ${timeOf(value.now)}，正在重试</p>`}
    <${Tiles} figures=${value.figures}/>
    <div class="wall-columns"><div><${Helps} desk=${desk} helps=${value.helps}/><${SkillStrip} skills=${value.skills}/><${Late} desk=${desk} figures=${value.figures}/><${PromisesLate} desk=${desk} promises=${value.figures.promises_late}/><${QueueBox} desk=${desk} queue=${value.queue} messages=${value.messages}/></div>
      <${Agents} desk=${desk} agents=${value.agents} helps=${value.helps}/></div>`;
}

function Wall({ desk, api }) {
  const [view, setView] = useState("now");
  const views = { now: ["实时", Present], days: ["服务数据", Days] };
  const [, View] = views[view];
  return html`<div class="supervision"><h1 class="sr">监控</h1><div class="sub" role="group" aria-label="监控">${Object.entries(views).map(([key, [label]]) => html`<button type="button" key=${key} aria-pressed=${String(key === view)} onclick=${() => setView(key)}>${label}</button>`)}</div>
    <${View} desk=${desk} api=${api}/></div>`;
}

registerTab({ key: "wall", label: "监控", role: "supervisor", component: Wall });
