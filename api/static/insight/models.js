/* Models: train a candidate with what was learned, compare it with the running one set by set, let it run, or go back. */
const MODEL_STATES = { training: "训练中", candidate: "候选", running: "在用", retired: "已退役", failed: "失败" };
const VERDICT_WORDS = { better: "更好", same: "不相上下", worse: "变差", no_worse: "没有变差" };

const isBetter = (list, set, metric) => (list || []).some((one) => (typeof one === "string" ? one === set + "." + metric || one === set : one.set === set && (!one.metric || one.metric === metric)));

/* Every metric of every set: before, after, and in words whether it is better. */
function Compared({ model, running }) {
  const { compared = {}, figures = {} } = model;
  const lines = Object.entries(figures).flatMap(([set, metrics]) => Object.entries(metrics).filter(([, value]) => typeof value === "number").map(([metric, value]) => ({ set, metric, value, before: running?.figures?.[set]?.[metric] })));
  if (!lines.length) return html`<p class="nothing">还没有评测数字</p>`;
  const word = (line) => isBetter(compared.worse, line.set, line.metric) ? ["bad", "▼ 变差"] : isBetter(compared.better, line.set, line.metric) ? ["good", "▲ 变好"] : ["", "持平"];
  return html`<div class="scroll-table tall" role="region" aria-label=${model.name + "，逐项对比"} tabindex="0"><table class="grid numbers"><caption class="sr">${model.name} 与在用模型</caption>
    <thead><tr><th scope="col">验证集</th><th scope="col">指标</th><th scope="col">在用</th><th scope="col">候选</th><th scope="col">结论</th></tr></thead>
    <tbody>${lines.map((line) => { const [tone, said] = word(line); return html`<tr key=${line.set + line.metric}><th scope="row">${line.set}</th><td>${line.metric}</td><td>${amountOf(line.before, "share")}</td><td>${amountOf(line.value, "share")}</td><td class=${tone + "-word"}>${said}</td></tr>`; })}</tbody></table></div>`;
}

function PromoteDialog({ app, model, close }) {
  const doing = useDoing(close);
  return html`<${Dialog} title=${"让 " + model.name + " 上线"} size="small" close=${close} foot=${html`<${DialogButtons} doing=${doing} label="上线" close=${close} run=${() => doing.run(async () => (await app.api.post("/models/" + model.id + "/promote"), toast("已上线", "good")))}/>`}>
    <p>之后客户的消息由它来理解。随时可以退回现在的模型。</p><//>`;
}

function RollbackDialog({ app, close }) {
  const doing = useDoing(close);
  return html`<${Dialog} title="退回上一个模型" size="small" close=${close} foot=${html`<${DialogButtons} doing=${doing} label="退回" danger close=${close} run=${() => doing.run(async () => (await app.api.post("/models/rollback"), toast("已退回", "good")))}/>`}><p>上一个在用的模型重新上线，现在的这个退役。</p><//>`;
}

function ModelCard({ app, model, running, again }) {
  const [asking, setAsking] = useState(false);
  const { data } = { data: model.compared || {} };
  const may = model.state === "candidate" && data.verdict && !(data.worse || []).length;
  const learned = model.learned || {};
  return html`<section class="card wide" aria-label=${"模型 " + model.name}><div class="card-head"><h3>${model.name}</h3><span class=${"tag" + (model.state === "running" ? " going" : model.state === "failed" ? " bad" : "")}>${MODEL_STATES[model.state] || model.state}</span>
      <span class="count">${[learned.messages !== undefined && "学会 " + learned.messages + " 条消息、" + (learned.faqs || 0) + " 条问答", model.trained_at && "训练于 " + momentOf(model.trained_at), model.asked_by && "由 " + model.asked_by + " 发起"].filter(Boolean).join(" · ")}</span>
      <span class="card-acts">${model.state === "candidate" && html`<button type="button" class=${may ? "primary" : ""} aria-disabled=${String(!may)} onclick=${() => may && setAsking(true)}>上线</button>`}</span></div>
    ${model.state === "training" && html`<p role="status" class="row-start"><span class="spin" aria-hidden="true"></span>${model.progress?.text || model.progress || "正在训练…"}${typeof model.progress?.share === "number" && html`<progress max="1" value=${model.progress.share} aria-label="进度"></progress>`}</p>`}
    ${model.error && html`<p class="failure">${model.error}</p>`}
    ${data.verdict && html`<p class=${"verdict " + ((data.worse || []).length ? "bad" : "good")}>与 ${data.with || "在用模型"} 相比：${VERDICT_WORDS[data.verdict] || data.verdict}${(data.worse || []).length ? "，有 " + data.worse.length + " 项变差，不能上线" : ""}</p>`}
    ${(model.state === "candidate" || model.state === "running") && html`<${Compared} model=${model} running=${model.state === "running" ? null : running}/>`}
    ${asking && html`<${PromoteDialog} app=${app} model=${model} close=${() => (setAsking(false), again())}/>`}</section>`;
}

function Models({ app }) {
  const { value, error, reload } = useRead(app, "/models");
  const [busy, setBusy] = useState(false);
  const [back, setBack] = useState(false);
  const models = value?.models || value || [];
  const training = models.some((one) => one.state === "training");
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
      ${models.some((one) => one.state === "retired") && html`<button type="button" onclick=${() => setBack(true)}>退回上一个模型</button>`}<span class="hint">用已标注的消息和可用的问答训练；在所有验证集上没有变差才能上线。</span></p>
    ${error && html`<${StaleLine} error=${error} retry=${reload}/>`}
    ${models.length ? [...models].sort((a, b) => order[a.state] - order[b.state]).slice(0, 12).map((model) => html`<${ModelCard} key=${model.id} app=${app} model=${model} running=${running} again=${reload}/>`) : html`<${Empty} glyph="spark" title="还没有训练过候选模型"/>`}
    ${back && html`<${RollbackDialog} app=${app} close=${() => (setBack(false), reload())}/>`}</div>`;
}
