/* A work order on the customer's behalf: the business is chosen, its fields are asked for as the bot would ask. */
const wanted = (field, values) => Object.entries(field.when || {}).every(([name, fitting]) => fitting.includes(values[name]));

function OrderField({ field, value, set, error, photos, filed }) {
  const label = field.label + (field.unit ? "（" + field.unit + "）" : "");
  const hint = [filed ? "不填就用档案里的" : "", field.hint, field.kind === "address" ? "写到路名门牌或村组" : ""].filter(Boolean).join("；");
  const common = { label, value, set, error, hint, required: !field.optional && !filed };
  if (field.kind === "choice") {
    const options = field.options.map((one) => ({ value: one.value, label: one.label }));
    return options.length <= 5 ? html`<${Choices} label=${label} name=${field.name} value=${value} set=${set} options=${options} required=${!field.optional}/>` : html`<${SelectField} ...${common} options=${options}/>`;
  }
  if (field.kind === "yes_no") {
    return html`<${Choices} label=${label} name=${field.name} value=${value} set=${set} options=${[{ value: "yes", label: "是" }, { value: "no", label: "否" }]} required=${!field.optional}/>`;
  }
  if (field.kind === "phone") return html`<${TextField} ...${common} type="tel" inputmode="tel" max="20"/>`;
  if (field.kind === "date") return html`<${TextField} ...${common} type="date"/>`;
  if (field.kind === "photo") return html`<${SelectField} ...${common} options=${photos} none=${photos.length ? "请选择" : "对话里还没有照片"}/>`;
  if (["number", "amount", "energy", "capacity"].includes(field.kind)) return html`<${TextField} ...${common} inputmode="decimal" max="20"/>`;
  return html`<${TextField} ...${common} lines=${field.kind === "text" ? 3 : null} max="500"/>`;
}

/* The businesses that agents file most, in this order. */
const MOST_USED = ["repair", "complaint", "meter_check", "transfer", "capacity_up", "fault_trip", "fault_meter", "invoice", "new_supply_home", "update_phone", "payment_refund", "meter_data_doubt", "charging_pile", "closure"];
const usedRank = (one) => (MOST_USED.indexOf(one.key) + 1 || MOST_USED.length + 1);

/* 校表 is in 校验电表: the letters one after the other. */
function spelled(word, text) {
  let from = 0;
  for (const letter of word) {
    from = text.indexOf(letter, from) + 1;
    if (!from) return false;
  }
  return true;
}

/* Businesses that fit what was typed: by title first, then by what they are about; the most used ones first. */
function businessesFor(desk, rows, query, about = []) {
  const words = query.trim().split(/\s+/).filter(Boolean);
  const rank = (one) => {
    if (words.every((word) => one.title.includes(word))) return 0;
    if (words.every((word) => spelled(word, one.title))) return 1;
    const all = [one.title, one.category, one.about, desk.intentWord(one.intent)].join(" ");
    return words.every((word) => all.includes(word)) ? 2 : null;
  };
  const found = rows.map((one) => ({ one, rank: rank(one), fits: about.includes(one.intent) })).filter((each) => each.rank !== null);
  return found.sort((a, b) => a.rank - b.rank || b.fits - a.fits || usedRank(a.one) - usedRank(b.one)).map((each) => each.one);
}

const NoBusiness = ({ query }) => html`<p class="nothing" role="status">没有找到“${brief(query.trim(), 20)}”，换个说法试试</p>`;

/* What the conversation is about comes first. */
function BusinessChoice({ desk, rows, about, take }) {
  const [query, setQuery] = useState("");
  const found = businessesFor(desk, rows, query, about);
  return html`<${TextField} label="查找业务" value=${query} set=${setQuery} placeholder="如：报修、校表、投诉"/>
    <ul class="business-list">${found.map((one) => html`<li><button type="button" class=${about.includes(one.intent) ? "fitting" : ""} onclick=${() => take(one)}><b>${one.title}</b>${one.about && html`<small>${one.about}</small>`}</button></li>`)}</ul>
    ${!found.length && html`<${NoBusiness} query=${query}/>`}`;
}

function FileOrderDialog({ desk, close, talk }) {
  const rows = useAsk(() => desk.businesses(), []);
  const [business, setBusiness] = useState(null);
  const [values, setValues] = useState({});
  const [account, setAccount] = useState("");
  const [wrong, setWrong] = useState({});
  const clientId = useRef(newId()).current;
  const doing = useDoing(close);
  const accounts = partList(talk.customer?.accounts);
  const needs = business?.account === "required";
  /* A business without an account may still take its address from one. Of several, the agent chooses. */
  const asksAccount = Boolean(business) && accounts.length > 0 && (business.account !== "none" || business.fields.some((field) => field.default === "account"));
  const chosen = !asksAccount ? "" : account || (needs && accounts.length === 1 ? accounts[0].ref : "");
  const fields = (business?.fields || []).filter((field) => wanted(field, values));
  /* What stands on file need not be typed. */
  const onFile = (field) => Boolean(chosen || (needs && asksAccount)) && (field.default === "customer" || field.default === "account");
  const photos = talk.messages.filter((one) => one.type === "image" && one.card?.upload_id).map((one) => ({ value: one.card.upload_id, label: (one.author === "customer" ? "客户" : "坐席") + " " + momentOf(one.at) + " 发的照片" }));
  const take = (one) => {
    setBusiness(one);
    setValues({});
    setWrong({});
  };
  const file = () => {
    const missing = fields.filter((field) => !field.optional && !onFile(field) && !String(values[field.name] ?? "").trim());
    const noAccount = needs && accounts.length > 1 && !chosen;
    setWrong({ ...Object.fromEntries(missing.map((field) => [field.name, "请填写" + field.label])), ...(noAccount ? { account: "客户有 " + accounts.length + " 个户号，请选择是哪一个" } : {}) });
    if (noAccount) return doing.say("请选择户号");
    if (missing.length) return doing.say("还有 " + missing.length + " 项没填");
    const given = Object.fromEntries(fields.map((field) => [field.name, String(values[field.name] ?? "").trim()]).filter(([, value]) => value));
    const body = { client_id: clientId, business: business.key, values: given, ...(chosen ? { account: chosen } : {}) };
    return doing.run(async () => {
      try {
        const { order, joined } = await desk.api.post(talk.path + "/orders", body);
        toast((joined ? "已并入在办工单 " : "已建工单 ") + order.order_no, "good");
        desk.readCustomer(talk);
      } catch (error) {
        if (error.document?.fields) setWrong(error.document.fields);
        throw error;
      }
    });
  };
  const foot = business && html`<button type="button" onclick=${() => setBusiness(null)}><${Glyph} name="back"/>换业务</button><span class="gap"></span><${DialogButtons} doing=${doing} label="建工单" run=${file} close=${close}/>`;
  return html`<${Dialog} title=${business ? "建工单：" + business.title : "建工单"} close=${close} foot=${foot}>
    ${rows.loading && html`<${Spinner}/>`}${rows.error && html`<${Failed} error=${rows.error} retry=${rows.reload}/>`}
    ${rows.value && !business && html`<${BusinessChoice} desk=${desk} rows=${rows.value} about=${intentsOf(desk, talk)} take=${take}/>`}
    ${business && html`<div class="order-form" key=${business.key}>
      ${business.limit && html`<p class="hint">时限：${business.limit}${business.fee ? "；费用：" + business.fee : ""}</p>`}
      ${asksAccount && html`<${SelectField} label="户号" value=${chosen} set=${setAccount} none=${needs ? "请选择户号" : "不指定"} required=${needs} error=${wrong.account} options=${accounts.map((one) => ({ value: one.ref, label: [one.account_no, one.address].filter(Boolean).join(" ") }))}/>`}
      ${fields.map((field) => html`<${OrderField} key=${field.name} field=${field} photos=${photos} filed=${onFile(field)} value=${values[field.name] ?? ""} error=${wrong[field.name]} set=${(value) => setValues((before) => ({ ...before, [field.name]: value }))}/>`)}</div>`}
  <//>`;
}
