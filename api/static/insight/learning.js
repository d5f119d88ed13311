/* Learning from questions: groups of messages that were not done justice to, the worst first. */
const LEARNING_STATES = [["open", "待处理"], ["done", "处理完的"]];
const STAGES = { wait: "等待开始", collect: "收集消息", group: "分组" };

const NOT_UNDERSTOOD = "nlu_fallback"; // what the bot says of a message, and nothing that one could mean

/* Reads the list of intents once for all that need it. */
function useIntents(app) {
  const { value } = useRead(app, "/learning/intents", { version: 0 });
  return (value || []).filter((one) => one.name !== NOT_UNDERSTOOD).map((one) => ({ key: one.name, label: one.label }));
}

const LearningTabs = ({ here }) => html`<nav class="sub" aria-label="学习">${[["", "消息分组"], ["faqs", "标准问答"], ["models", "模型"]].map(([key, label]) => html`<button type="button" key=${key} aria-current=${here === key ? "page" : null} aria-pressed=${String(here === key)} onclick=${() => goTo("learning", { rest: key ? [key] : [] })}>${label}</button>`)}</nav>`;

const Small = ({ label, value, note }) => html`<li class="figure"><h3 class="figure-name">${label}</h3><p class="figure-value num">${amountOf(value)}</p>${note && html`<p class="figure-change">${note}</p>`}</li>`;

const timesWords = (rows) => rows.map((one) => one.name + " " + whole.format(one.value) + " 条").join("，");

function LearningSummary({ summary }) {
  const [by, barred] = [timesWords(summary.by_reviewer), timesWords(summary.answers_refused)];
  const held = summary.refused.reduce((sum, one) => sum + one.value, 0);
  return html`<ul class="figures" aria-label="进度"><${Small} label="待处理的消息" value=${summary.open}/><${Small} label="待处理的分组" value=${summary.groups}/><${Small} label="已标注，还没导出" value=${summary.labelled_since_export} note=${by && "经手：" + by}/><${Small} label="可以训练的标准问答" value=${summary.answers_ready} note=${barred && "另有不能训练的：" + barred}/>
    ${held > 0 && html`<${Small} label="标注了但不能训练" value=${held} note=${timesWords(summary.refused)}/>`}</ul>`;
}

/* The button that gathers and groups anew, in a process of its own; says how far it is. */
function Refresh({ app, run: state, reload, done }) {
  const [busy, setBusy] = useState(false);
  const running = busy || state?.state === "running";
  useEffect(() => {
    if (!running) return undefined;
    const timer = setInterval(reload, 2000);
    return () => clearInterval(timer);
  }, [running]);
  useEffect(() => {
    if (state && state.state !== "running") {
      setBusy(false);
      done();
    }
  }, [state?.state, state?.at]);
  const run = async () => {
    setBusy(true);
    try {
      await app.api.post("/learning/refresh");
      setBusy(false);
      reload();
    } catch (error) {
      setBusy(false);
      failed(error);
    }
  };
  return html`<button type="button" aria-disabled=${String(running)} onclick=${() => !running && run()}>${running ? html`<span class="spin" aria-hidden="true"></span>正在整理…` : html`<${Glyph} name="retry"/>重新整理`}</button>
    <span class="count" role="status">${running ? STAGES[state?.stage] || "" : state?.state === "failed" ? "上次没有成功，" + momentOf(state.at) : state?.at ? "上次整理 " + momentOf(state.at) + "，新收 " + whole.format(state.new ?? 0) + " 条" : ""}</span>`;
}

/* Which groups one had before one: it stays in the address of a group, so that the way back leads there. */
const groupsPlace = (query = readPlace().query) => Object.fromEntries(["state", "after", "past"].map((name) => [name, query.get(name)]));

/* How harmful, as a bar and in parts. */
function Harm({ group, most }) {
  const parts = group.parts.filter((part) => part.value);
  return html`<div class="harm"><span class="harm-line"><meter min="0" max=${most} value=${group.harm} aria-label="危害"></meter><b class="num">${tenth.format(group.harm)}</b></span>
    <span class="count">${parts.map((part) => part.name + " " + tenth.format(part.value)).join(" · ")}</span></div>`;
}

const GroupRow = ({ group, most, place }) => html`<tr><td class="num">${place}</td><th scope="row"><button type="button" class="link group-link" onclick=${() => goTo("learning", { rest: ["groups", String(group.id)], change: groupsPlace() })}>${group.name}</button><p class="example">“${group.example}”</p></th>
  <td class="num">${whole.format(group.size)}</td><td><${Harm} group=${group} most=${most}/></td><td>${group.reasons.map((reason) => html`<span class="tag" key=${reason.key}>${reason.name} ${reason.value}</span> `)}</td>
  <td>${group.intents.slice(0, 3).map((one) => html`<span class="tag" key=${one.key}>${one.name || "没有理解"} ${one.value}</span> `)}</td></tr>`;

function nothingWords(state, summary) {
  if (state !== "open") return "还没有处理完的分组";
  if (summary?.run?.state === "running") return "正在整理，分好组就显示在这里";
  return summary && !summary.run?.at ? "还没有整理过" : "没有待处理的消息";
}

function Groups({ app, query }) {
  const state = query.get("state") || "open";
  const [after, past] = [query.get("after"), Number(query.get("past")) || 0]; /* the page stands in the address, and comes back with it */
  const { value, error, reload } = useRead(app, "/learning/groups?state=" + state + (after ? "&after=" + encodeURIComponent(after) : ""));
  const { value: summary, reload: resum } = useRead(app, "/learning/summary");
  const choose = (key) => adjust({ state: key === "open" ? "" : key, after: "", past: "" });
  return html`<div class="board">${summary && html`<${LearningSummary} summary=${summary}/>`}
    <div class="toolbar work"><div class="spans" role="group" aria-label="看哪些">${LEARNING_STATES.map(([key, label]) => html`<button type="button" key=${key} aria-pressed=${String(key === state)} onclick=${() => choose(key)}>${label}</button>`)}</div>
      <${Refresh} app=${app} run=${summary?.run} reload=${resum} done=${reload}/><span class="toolbar-gap"></span><${FileLink} app=${app} path="/learning/export.zip">导出训练数据<//></div>
    ${error && (value ? html`<${StaleLine} error=${error} retry=${reload}/>` : html`<${Failed} error=${error} retry=${reload}/>`)}
    ${!value && !error && html`<${Skeleton}/>`}
    ${value && (value.groups.length ? html`<section class="card wide flush" aria-label="消息分组"><table class="grid groups"><caption class="sr">按危害排列的消息分组</caption>
      <thead><tr><th scope="col"><span class="sr">名次</span></th><th scope="col">客户在问什么</th><th scope="col">条数</th><th scope="col">危害</th><th scope="col">原因</th><th scope="col">当时理解为</th></tr></thead>
      <tbody>${value.groups.map((group, i) => html`<${GroupRow} key=${group.id} group=${group} place=${past + i + 1} most=${Math.max(1, ...value.groups.map((one) => one.harm))}/>`)}</tbody></table></section>
      ${(after || value.next) && html`<p class="row-end">${after && html`<button type="button" onclick=${() => adjust({ after: "", past: "" })}>回到开头</button>`}${value.next && html`<button type="button" onclick=${() => adjust({ after: value.next, past: String(past + value.groups.length) })}>下一页</button>`}</p>`}`
      : html`<${Empty} glyph="done" title=${nothingWords(state, summary)}><p>${state === "open" ? "没答好的消息每天自动收集、分组；也可以按「重新整理」。" : ""}</p><//>`)}</div>`;
}

function Learning({ app, query, rest }) {
  const [what, id] = rest;
  if (what === "groups" && id) return html`<${GroupPage} key=${id} app=${app} id=${id} query=${query}/>`;
  const here = what === "faqs" || what === "models" ? what : "";
  return html`<${LearningTabs} here=${here}/>${here === "faqs" ? html`<${Faqs} app=${app}/>` : here === "models" ? html`<${Models} app=${app}/>` : html`<${Groups} app=${app} query=${query}/>`}`;
}
