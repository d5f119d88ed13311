/* Recommendations and their effect; campaigns to a segment, with consent, approved by somebody else. */
const CAMPAIGN_STATES = { draft: "草稿", approved: "已审批", running: "进行中", stopped: "已停止", done: "已结束" };
const SEGMENT_NAMES = { special_service: "特殊服务", high_risk: "高风险", high_value: "高价值稳定", growth: "潜力增长", basic: "基础需求" };
const segmentWords = (campaign) => (campaign.segment_names || campaign.segments.map((key) => SEGMENT_NAMES[key] || key)).join("、");
const CAMPAIGN_TEXT_MOST = 300;

const summed = (rows, name) => whole.format(rows.reduce((sum, row) => sum + row[name], 0));
const reachWords = (rows) => "这些客户共 " + summed(rows, "audience") + " 位，同意接收推荐的 " + summed(rows, "consenting") + " 位；其中 " + summed(rows, "held_out") + " 位留作对照，" + summed(rows, "refused") + " 位说过不要，实际发给 " + summed(rows, "reached") + " 位";

function CampaignEditor({ app, close }) {
  const [form, setForm] = useState({ name: "", segments: [], text: "" });
  const [counts, setCounts] = useState(null);
  const doing = useDoing(close);
  const put = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
  const tick = (key) => put("segments")(form.segments.includes(key) ? form.segments.filter((one) => one !== key) : [...form.segments, key]);
  useEffect(() => {
    setCounts(null);
    if (!form.segments.length) return undefined;
    let left = false;
    app.api.get("/campaigns/preview?" + form.segments.map((key) => "segment=" + key).join("&")).then((found) => !left && setCounts(found)).catch((error) => !left && setCounts({ error }));
    return () => {
      left = true;
    };
  }, [form.segments.join()]);
  const ready = form.name.trim() && form.segments.length && form.text.trim() && [...form.text].length <= CAMPAIGN_TEXT_MOST;
  const run = () => doing.run(async () => {
    await app.api.post("/campaigns", { ...form, name: form.name.trim(), text: form.text.trim() });
    toast("已存为草稿，等另一位班长审批", "good");
  });
  return html`<${Dialog} title="新的活动" size="medium" close=${close} foot=${html`<${DialogButtons} doing=${doing} label="存为草稿" run=${run} close=${close} disabled=${!ready}/>`}>
    <${TextField} label="名称（客户看不到）" value=${form.name} set=${put("name")} max="60" first required/>
    <fieldset class="choices"><legend>发给哪些客户</legend><div>${Object.entries(SEGMENT_NAMES).map(([key, label]) => html`<label key=${key} class=${"choice" + (form.segments.includes(key) ? " chosen" : "")}><input type="checkbox" checked=${form.segments.includes(key)} onchange=${() => tick(key)}/><span>${label}</span></label>`)}</div></fieldset>
    <p class="hint" role="status">${counts?.error ? reasonWords(counts.error) : counts ? reachWords(counts) : "只发给同意接收推荐的客户"}</p>
    <${TextField} label=${"内容（" + [...form.text].length + "/" + CAMPAIGN_TEXT_MOST + "）"} value=${form.text} set=${put("text")} lines="4" hint="不要写客户的分群，不要催促" required/><//>`;
}

/* What is sent cannot be called back: how many it reaches is said before. */
const StartDialog = ({ one, close, start }) => html`<${Dialog} title=${"开始发送：" + one.name} size="small" close=${close} foot=${html`<button type="button" data-first onclick=${close}>取消</button><button type="button" class="primary" onclick=${() => (close(), start())}>开始发送</button>`}>
  <p>${segmentWords(one)}中同意接收的有 ${whole.format(one.consenting)} 位，其中 ${whole.format(one.held_out)} 位留作对照，不发。已发出的收不回来，没发的随时可以停。</p><p class="said">${one.text}</p><//>`;

function CampaignRow({ app, one, again }) {
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState(false);
  const act = async (deed, said) => {
    if (busy) return;
    setBusy(true);
    try {
      await app.api.post("/campaigns/" + one.id + "/" + deed);
      toast(said, "good");
    } catch (error) {
      failed(error);
    }
    setBusy(false);
    again();
  };
  const deeds = { draft: [["approve", "审批", "已审批"]], approved: [["start", "开始发送", "已开始"]], running: [["stop", "停止", "已停止"]], stopped: [["start", "继续", "已继续"]] }[one.state] || [];
  return html`<tr><th scope="row">${one.name}<p class="example">${one.text}</p><p class="count">${[one.created_by && one.created_by + " 起草", one.approved_by && one.approved_by + " 审批", one.started_at && momentOf(one.started_at) + " 开始"].filter(Boolean).join("，")}</p></th><td>${segmentWords(one)}</td><td><span class=${"tag" + (one.state === "running" ? " going" : "")}>${one.state_name || CAMPAIGN_STATES[one.state]}</span></td>
    <td class="num">${whole.format(one.audience)}</td><td class="num">${whole.format(one.consenting)}</td><td class="num">${whole.format(one.held_out)}</td><td class="num">${amountOf(one.sends?.sent ?? 0)}</td><td class="num">${whole.format(one.told)}</td>
    <td>${deeds.map(([deed, label, said]) => (deed === "approve" && !one.may_approve ? html`<span class="count">等另一位班长审批</span>` : html`<button type="button" key=${deed} class="small" aria-label=${label + "：" + one.name} aria-disabled=${String(busy)} onclick=${() => (deed === "start" ? setAsking(true) : act(deed, said))}>${label}</button> `))}
      ${asking && html`<${StartDialog} one=${one} close=${() => setAsking(false)} start=${() => act("start", "已开始")}/>`}</td></tr>`;
}

/* What came of the recommendations, beside those who got none. */
function Effects({ app }) {
  const { value, error, reload } = useRead(app, "/effect");
  if (!value) return error ? html`<${Failed} error=${error} retry=${reload}/>` : html`<${Skeleton}/>`;
  const { lines } = value;
  return html`<section class="card wide flush" aria-label="推荐的效果"><div class="card-head"><h3>推荐的效果</h3><${What} name="推荐的效果" text=${value.definition}/></div>
    ${lines.length ? html`<table class="grid numbers"><caption class="sr">推荐的效果</caption><thead><tr><th scope="col">推荐</th><th scope="col">已推荐</th><th scope="col">采纳</th><th scope="col">不用</th><th scope="col">对照组</th><th scope="col">效果</th></tr></thead>
      <tbody>${lines.map((line) => html`<tr key=${line.kind}><th scope="row">${line.name}</th><td>${whole.format(line.shown)}</td><td>${whole.format(line.accepted)}</td><td>${whole.format(line.refused)}</td><td>${whole.format(line.held_out)}</td><td class="words">${line.text}</td></tr>`)}</tbody></table>` : html`<p class="nothing-here">还没有推荐过</p>`}</section>`;
}

function Offers({ app }) {
  const { value, error, reload } = useRead(app, "/campaigns");
  const [making, setMaking] = useState(false);
  const list = value;
  return html`<div class="board"><${Effects} app=${app}/>
    <p class="row-start"><button type="button" class="primary" onclick=${() => setMaking(true)}><${Glyph} name="plus"/>新的活动</button><span class="hint">只发给打开了「优惠与建议」的客户；要由另一位班长或管理员审批。</span></p>
    ${error && html`<${Failed} error=${error} retry=${reload}/>`}${!list && !error && html`<${Skeleton}/>`}
    ${list && (list.length ? html`<section class="card wide flush" aria-label="活动"><table class="grid campaigns"><caption class="sr">活动</caption><thead><tr><th scope="col">活动</th><th scope="col">客户</th><th scope="col">状态</th><th scope="col">人数</th><th scope="col">同意</th><th scope="col">对照</th><th scope="col">已发</th><th scope="col">已读到</th><th scope="col">操作</th></tr></thead>
      <tbody>${list.map((one) => html`<${CampaignRow} key=${one.id} app=${app} one=${one} again=${reload}/>`)}</tbody></table></section>` : html`<${Empty} glyph="bell" title="还没有活动"/>`)}
    ${making && html`<${CampaignEditor} app=${app} close=${() => (setMaking(false), reload())}/>`}</div>`;
}
