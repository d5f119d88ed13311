/* Models: train a candidate with what was learned, compare it with the running one set by set, let it run, or go back. */
const MODEL_STATES = { training: "训练中", candidate: "候选", running: "在用", retired: "已退役", failed: "失败" };
const VERDICT_WORDS = { better: "更好", same: "不相上下", worse: "变差", no_worse: "没有变差" };

const isBetter = (list, set, metric) => (list || []).some((one) => (typeof one === "string" ? one === set + "." + metric || one === set : one.set === set && (!one.metric || one.metric === metric)));

/* Every metric of every set: before, after, and in words whether it is better; of the running one its own alone. */
function Compared({ model, running }) {
  const { compared = {}, figures = {} } = model;
  const beside = Boolean(running && compared.verdict);
  const lines = Object.entries(figures).flatMap(([set, metrics]) => Object.entries(metrics).filter(([, value]) => typeof value === "number").map(([metric, value], i) => ({ set, metric, value, first: i === 0, before: running?.figures?.[set]?.[metric] })));
  if (!lines.length) return compared.verdict ? html`<p class="nothing">还没有评测数字</p>` : null;
  const word = (line) => (isBetter(compared.worse, line.set, line.metric) ? ["bad", "▼ 变差"] : isBetter(compared.better, line.set, line.metric) ? ["good", "▲ 变好"] : ["", line.before === line.value ? "相同" : "相差在允许之内"]);
  const row = (line) => {
    const [tone, said] = word(line);
    return html`<tr key=${line.set + line.metric} class=${line.first ? "set-begins" : ""}><th scope="row">${line.first ? line.set : html`<span class="sr">${line.set}</span>`}</th><td class="words">${line.metric}</td>${beside && html`<td>${amountOf(line.before, "share")}</td>`}<td>${amountOf(line.value, "share")}</td>${beside && html`<td class=${"words " + tone + "-word"}>${said}</td>`}</tr>`;
  };
  return html`<details class="compared" open=${model.state === "candidate"}><summary>验证集上的全部数字</summary><div class="scroll-table tall" role="region" aria-label=${model.name + "，各验证集"} tabindex="0"><table class="grid numbers"><caption class="sr">${model.name}，各验证集</caption>
    <thead><tr><th scope="col">验证集</th><th scope="col" class="words">指标</th>${beside && html`<th scope="col">在用</th>`}<th scope="col">${beside ? "候选" : "数值"}</th>${beside && html`<th scope="col" class="words">结论</th>`}</tr></thead>
    <tbody>${lines.map(row)}</tbody></table></div></details>`;
}

function PromoteDialog({ app, model, close }) {
  const doing = useDoing(close);
  return html`<${Dialog} title=${"让 " + model.name + " 上线"} size="small" close=${close} foot=${html`<${DialogButtons} doing=${doing} label="上线" close=${close} run=${() => doing.run(async () => (await app.api.post("/models/" + model.id + "/promote"), toast("已上线", "good")))}/>`}>
    <p>之后客户的消息由它来理解。随时可以退回现在的模型。</p><//>`;
}

function RollbackDialog({ app, running, before, close }) {
  const doing = useDoing(close);
  return html`<${Dialog} title="退回上一个模型" size="small" close=${close} foot=${html`<${DialogButtons} doing=${doing} label="退回" danger close=${close} run=${() => doing.run(async () => (await app.api.post("/models/rollback", { running }), toast("已退回", "good")))}/>`}><p>${before} 重新上线，现在的这个退役。几秒之内生效。</p><//>`;
}

/* What a comparison found to be worse, or better, each with its figures and the reason. */
const Differences = ({ rows, tone, title }) => rows.length > 0 && html`<div class="differences"><h4>${title}</h4><ul class="reasons">${rows.map((one) => html`<li key=${one.set + one.metric}><b>${one.set} · ${one.metric}</b> ${amountOf(one.before, "share")} → <span class=${tone + "-word"}>${amountOf(one.after, "share")}</span><span class="count">（新错 ${one.lost} 条，新对 ${one.gained} 条；${one.why}）</span></li>`)}</ul></div>`;

const learnedWords = ({ messages, faqs }) => (messages || faqs ? "学会 " + [messages && messages + " 条消息", faqs && faqs + " 条问答"].filter(Boolean).join("、") : "");

function Progress({ progress }) {
  const share = progress?.share ?? 0;
  return html`<div class="row-start"><span class="spin" aria-hidden="true"></span><span role="status">${progress?.text || "正在训练"}…</span><progress max="1" value=${share} aria-label="进度"></progress><span class="count num">${amountOf(Math.round(share * 100) / 100, "share")}${progress?.seconds ? "，已用 " + lengthOfTime(progress.seconds) : ""}</span></div>`;
}

/* In words what the comparison came to; why it may not run, if it may not. */
function Verdict({ model, running }) {
  const { compared = {} } = model;
  const worse = compared.worse || [];
  if (!compared.verdict) return model.state === "candidate" && !model.progress ? html`<p class="verdict bad">还没有和在用模型对比过，不能上线</p>` : null;
  const other = model.state === "candidate" && running && compared.with !== running.name;
  return html`<p class=${"verdict " + (worse.length ? "bad" : "good")}>与 ${compared.with || "在用模型"} 相比：${worse.length ? "有 " + worse.length + " 项变差，不能上线" : VERDICT_WORDS[compared.verdict] || compared.verdict}</p>
    ${other && html`<p class="stale">在用的模型已经换了，要与它重新对比才能上线。</p>`}
    <${Differences} rows=${worse} tone="bad" title="变差的"/><${Differences} rows=${compared.better || []} tone="good" title="变好的"/>`;
}

function ModelCard({ app, model, running, again, busy }) {
  const [asking, setAsking] = useState(false);
  const [asked, setAsked] = useState(false);
  const compared = model.compared || {};
  const waits = model.state === "candidate";
  const fresh = compared.verdict && (!running || compared.with === running.name);
  const may = waits && fresh && !(compared.worse || []).length;
  const compare = async () => {
    if (asked || busy) return;
    setAsked(true);
    await app.api.post("/models/" + model.id + "/compare").catch(failed);
    setAsked(false);
    again();
  };
  const facts = [learnedWords(model.learned || {}), model.trained_at && "训练于 " + momentOf(model.trained_at), model.state !== "candidate" && model.promoted_at && "上线于 " + momentOf(model.promoted_at), model.asked_by && "由 " + model.asked_by + " 发起"];
  return html`<section class="card wide" aria-label=${"模型 " + model.name}><div class="card-head"><h3>${model.name}</h3><span class=${"tag" + (model.state === "running" ? " going" : model.state === "failed" ? " bad" : "")}>${MODEL_STATES[model.state] || model.state}</span>
      <span class="count">${facts.filter(Boolean).join(" · ")}</span>
      <span class="card-acts">${waits && !fresh && html`<button type="button" aria-disabled=${String(asked || busy)} onclick=${compare}>重新对比</button>`}${waits && html`<button type="button" class=${may ? "primary" : ""} aria-disabled=${String(!may)} onclick=${() => may && setAsking(true)}>上线</button>`}</span></div>
    ${(model.state === "training" || model.progress) && html`<${Progress} progress=${model.progress}/>`}
    ${model.error && html`<p class="failure">${model.error}</p>`}
    <${Verdict} model=${model} running=${running}/>
    ${(waits || model.state === "running") && !model.progress && html`<${Compared} model=${model} running=${model.state === "running" ? null : running}/>`}
    ${asking && html`<${PromoteDialog} app=${app} model=${model} close=${() => (setAsking(false), again())}/>`}</section>`;
}

function Models({ app }) {
  const { value, error, reload } = useRead(app, "/models");
  const [busy, setBusy] = useState(false);
  const [back, setBack] = useState(false);
  const models = value?.models || value || [];
  const training = models.some((one) => one.state === "training" || one.progress);
  const running = models.find((one) => one.state === "running");
  useEffect(() => {
    if (!training) return undefined;
    const timer = setInterval(reload, 4000);
    return () => clearInterval(timer);
  }, [training]);
  const train = async () => {
    if (busy || training) return;
    setBusy(true);
    try {
      await app.api.post("/models/train");
      toast("开始训练，可以离开本页", "good");
    } catch (problem) {
      failed(problem);
    }
    setBusy(false);
    reload();
  };
  if (!value) return error ? html`<${Failed} error=${error} retry=${reload}/>` : html`<${Skeleton}/>`;
  const order = { training: 0, candidate: 1, running: 2, failed: 3, retired: 4 };
  return html`<div class="board"><p class="row-start"><button type="button" class="primary" aria-disabled=${String(busy || training)} onclick=${train}>${training ? "正在训练…" : "训练候选模型"}</button>
      ${value.before && html`<button type="button" onclick=${() => setBack(true)}>退回上一个模型</button>`}<span class="hint">用已标注的消息和可用的问答训练；在所有验证集上没有变差才能上线。</span></p>
    ${error && html`<${StaleLine} error=${error} retry=${reload}/>`}
    ${models.length ? [...models].sort((a, b) => order[a.state] - order[b.state]).slice(0, 12).map((model) => html`<${ModelCard} key=${model.id} app=${app} model=${model} running=${running} again=${reload} busy=${training}/>`) : html`<${Empty} glyph="spark" title="还没有训练过候选模型"/>`}
    ${back && html`<${RollbackDialog} app=${app} running=${value.running} before=${value.before} close=${() => (setBack(false), reload())}/>`}</div>`;
}
