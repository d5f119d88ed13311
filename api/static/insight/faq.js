/* Standard answers: a question, other ways to put it, an answer of at most 120 characters; shown as customers see it. */
const FAQ_REGIONS = [{ value: "hubei", label: "湖北" }, { value: "national", label: "全国" }];
const FAQ_STATUSES = [{ value: "verified", label: "已核实" }, { value: "secondary", label: "来自二手资料" }, { value: "unverified", label: "未核实" }];
const FAQ_PREFIX = "learned_";
const ANSWER_MOST = 120;
const ALSO_LEAST = 3;
const ALSO_MOST = 6;
const EMPTY_FAQ = { key: FAQ_PREFIX, question: "", also: [], answer: "", region: "hubei", source: "", month: "", status: "verified" };

function faqFaults(form) {
  const faults = [];
  if (!/^learned_[a-z0-9_]{2,32}$/.test(form.key)) faults.push("编号以 " + FAQ_PREFIX + " 开头，再写几个小写字母");
  if (!form.question.trim()) faults.push("写下问题");
  if (form.also.length < ALSO_LEAST || form.also.length > ALSO_MOST) faults.push("其他问法要 " + ALSO_LEAST + " 到 " + ALSO_MOST + " 种");
  if (!form.answer.trim()) faults.push("写下答复");
  if ([...form.answer].length > ANSWER_MOST) faults.push("答复最多 " + ANSWER_MOST + " 个字");
  if (!form.source.trim()) faults.push("注明依据");
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(form.month)) faults.push("注明依据的年月");
  return faults;
}

/* As it looks in the customers' window. */
const FaqPreview = ({ form }) => html`<div class="preview" aria-label="客户看到的样子" role="group"><p class="said customer">${form.question || "客户的问题"}</p><p class="said bot">${form.answer || "这里是答复"}</p></div>`;

function FaqEditor({ app, faq, close }) {
  const [form, setForm] = useState({ ...EMPTY_FAQ, month: isoDay().slice(0, 7), ...faq });
  const [typed, setTyped] = useState("");
  const doing = useDoing(close);
  const there = useRef(faq.id ? faq : null); /* what the server keeps already: a second try changes it, and makes no other */
  const put = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
  const began = useRef(JSON.stringify(form));
  const unsaved = typed !== "" || JSON.stringify(form) !== began.current;
  const leave = () => (!unsaved || confirm("还没有保存。放弃刚才写的内容吗？")) && close();
  const faults = faqFaults(form);
  const length = [...form.answer].length;
  const save = (state) => doing.run(async () => {
    const text = Object.fromEntries(Object.keys(EMPTY_FAQ).map((name) => [name, form[name]]));
    const known = there.current;
    there.current = known ? await app.api.patch("/learning/faqs/" + known.id, { version: known.version, text }) : await app.api.post("/learning/faqs", { ...text, items: faq.items || [] });
    if (state === "ready") await app.api.patch("/learning/faqs/" + there.current.id, { version: there.current.version, state });
    toast(state === "ready" ? "已设为可用，下次训练时学会" : "已保存", "good");
  });
  return html`<${Dialog} title=${faq.id ? "修改标准问答" : "新的标准问答"} size="large" close=${leave} foot=${html`<${DoingError} doing=${doing}/><span class="count">${faults.join("；")}</span><button type="button" onclick=${leave}>取消</button>
      <button type="button" aria-disabled=${String(doing.busy)} onclick=${() => save("draft")}>存为草稿</button><button type="button" class="primary" aria-disabled=${String(doing.busy || faults.length > 0)} onclick=${() => !faults.length && save("ready")}>设为可用</button>`}>
    <div class="faq-form"><div><${TextField} label="问题" value=${form.question} set=${put("question")} max="60" first required/>
      <${Lines} label=${"其他问法（" + ALSO_LEAST + "—" + ALSO_MOST + " 种，每种都像客户会说的）"} placeholder="另一种问法，按回车添加" values=${form.also} set=${put("also")} text=${typed} setText=${setTyped}/>
      <${TextField} label=${"答复（" + length + "/" + ANSWER_MOST + "）"} value=${form.answer} set=${put("answer")} lines="4" error=${length > ANSWER_MOST ? "多了 " + (length - ANSWER_MOST) + " 个字" : ""} required/>
      <div class="two"><${SelectField} label="适用地区" value=${form.region} set=${put("region")} options=${FAQ_REGIONS}/><${TextField} label="依据的年月" type="month" value=${form.month} set=${put("month")} required/></div>
      <${TextField} label="依据" value=${form.source} set=${put("source")} max="200" placeholder="文件名或文号" required/>
      <${SelectField} label="核实情况" value=${form.status} set=${put("status")} options=${FAQ_STATUSES}/>
      ${!faq.id && html`<${TextField} label="编号" value=${form.key} set=${put("key")} max="40" hint="如 learned_meter_wrong_reading；以后不能改" required/>`}</div>
      <div><p class="field-title">客户看到的样子</p><${FaqPreview} form=${form}/></div></div><//>`;
}

function Faqs({ app }) {
  const { value, error, reload } = useRead(app, "/learning/faqs");
  const place = usePlace();
  const isNew = place.rest[1] === "new";
  const [open, setOpen] = useState(null);
  useEffect(() => {
    if (isNew) setOpen({ question: place.query.get("question") || "", items: (place.query.get("answers") || "").split("-").map(Number).filter(Boolean) });
  }, [isNew]);
  const close = () => {
    setOpen(null);
    if (isNew) goTo("learning", { rest: ["faqs"], replace: true });
    reload();
  };
  const turn = async (faq, state) => {
    try {
      await app.api.patch("/learning/faqs/" + faq.id, { version: faq.version, state });
      reload();
    } catch (problem) {
      failed(problem);
      reload();
    }
  };
  const list = value;
  return html`<div class="board"><p class="row-start"><button type="button" class="primary" onclick=${() => setOpen({})}><${Glyph} name="plus"/>新的标准问答</button></p>
    ${error && html`<${Failed} error=${error} retry=${reload}/>`}${!list && !error && html`<${Skeleton}/>`}
    ${list && (list.length ? html`<ul class="faqs">${list.map((faq) => html`<li class="card" key=${faq.id}><div class="card-head"><h3>${faq.question}</h3><span class=${"tag" + (faq.state === "ready" ? " going" : "")}>${faq.state_text}</span>
        <span class="card-acts"><button type="button" class="small" aria-label=${"修改：" + faq.question} onclick=${() => setOpen(faq)}>修改</button>${faq.state === "withdrawn" ? html`<button type="button" class="small" onclick=${() => turn(faq, "draft")}>改回草稿</button>` : html`<button type="button" class="small" aria-label=${"撤下：" + faq.question} onclick=${() => turn(faq, "withdrawn")}>撤下</button>`}</span></div>
        <p>${faq.answer}</p>${faq.refused_text && html`<p class="held-line"><${Glyph} name="lock"/>不会用来训练：${faq.refused_text}</p>`}<p class="count">${faq.also.join("　")}</p><p class="count">${faq.source} · ${faq.month}${faq.edited_by ? " · " + faq.edited_by + " " + momentOf(faq.at) : ""}</p></li>`)}</ul>` : html`<${Empty} glyph="quote" title="还没有标准问答"/>`)}
    ${open && html`<${FaqEditor} key=${open.id || "new"} app=${app} faq=${open} close=${close}/>`}</div>`;
}
