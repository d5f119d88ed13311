/* The customer beside the conversation: read when the conversation is opened, again after what we did for him. */
Object.assign(Desk.prototype, {
  async readCustomer(talk) {
    talk.customerError = null;
    talk.customerLoading = true;
    this.changed();
    try {
      talk.customer = await this.api.get(talk.path + "/customer");
    } catch (error) {
      talk.customerError = error;
    }
    talk.customerLoading = false;
    this.changed();
  },
});

const ASSURANCE = ["未验证身份", "已绑定户号", "刚通过短信验证"];

const QUOTA_READ_MS = 3000;
const CHANNELS = { web: "网页", app: "网上国网App", wechat: "微信", h5: "微信内网页" };
const channelWord = (name) => CHANNELS[name] || name || "";

/* What he wrote over which channel is told where there is more than the page. */
const viaOf = (talk, message) => (message.channel && (message.channel !== "web" || (talk.case && talk.case.channel !== "web")) ? channelWord(message.channel) : "");

/* What may still be said over WeChat; what waits to be sent counts already. */
function quotaOf(channel, quota) {
  if (!quota || channel === "web" || channel === "app") return null;
  const name = channelWord(channel);
  const over = quota.until && new Date(quota.until) <= Date.now();
  const left = over ? 0 : quota.left === null ? Infinity : Math.max(0, quota.left - (quota.waiting || 0));
  if (!quota.followed) return { name, words: "客户已取消关注，发的内容送不到", bad: true };
  const page = channel === "h5" ? "网页开着就直接看到；关了改走微信，" : ""; /* nobody knows whether it is open still */
  if (!left && page) return { name, words: page + "先存着，客户再写来时送达", few: true };
  if (!left) return { name, words: "现在发的会先存着，客户再写来时送达" + (quota.called ? "；已发模板通知请他回来" : ""), bad: true };
  const until = quota.until ? "，到" + momentOf(quota.until).replace(" ", "") : "";
  return { name, words: page + (left === Infinity ? "条数不限" : "还可发送" + left + "条") + until, few: left <= 2 };
}

/* Where he writes from, and how many messages that channel still lets us send. */
function Channel({ talk, channel }) {
  if (!channel || isAway(channel)) return null;
  const found = quotaOf(channel.name, talk.case?.wechat_quota || channel.wechat_quota);
  return html`<p class="channel">来自 ${channelWord(channel.name)}${found && html` · <b class=${found.bad || found.few ? "bad" : ""}>${found.words}</b>`}</p>`;
}

/* The same beside the place to write: who writes has to know whether it arrives. */
function QuotaLine({ desk, talk }) {
  const found = quotaOf(talk.case?.channel, talk.case?.wechat_quota);
  useEffect(() => { /* what was said a moment ago is sent by now, or waits */
    const soon = found && setTimeout(() => desk.readSoon(), QUOTA_READ_MS);
    return () => clearTimeout(soon);
  }, [talk.id, talk.lastSeq]);
  if (!found) return null;
  return html`<p class=${"quota" + (found.bad ? " bad" : found.few ? " few" : "")} role="status">${found.bad && html`<${WarningIcon}/>`}<span>${found.name} · ${found.words}</span></p>`;
}

/* What kind of customer he is and what that means for the talk; never to be said to him. */
function Portrait({ portrait }) {
  if (!portrait) return null;
  const tags = partList(portrait.tags);
  const figures = partList(portrait.figures);
  const talk = partList(portrait.talk);
  return html`<${Part} title="客户画像" part=${portrait}>${portrait.segment && html`<p><span class="tag segment">${portrait.segment}</span><span class="hint">仅供内部，不对客户说</span></p>`}
    ${portrait.thin && html`<p class="hint">${portrait.thin}</p>`}
    ${figures.length > 0 && html`<dl class="pairs">${figures.map((one) => html`<${Pair} key=${one.key} name=${one.name}><span class="num">${one.text}</span><//>`)}</dl>`}
    ${tags.length > 0 && html`<p class="tags">${tags.map((one) => html`<span class="tag" key=${one.key} title=${one.why}>${one.label}</span>`)}</p>`}
    ${talk.map((line) => html`<p key=${line}>${line}</p>`)}<//>`;
}

/* Who looks after him by name; supervisors choose. */
function Manager({ desk, talk, manager }) {
  if (!manager || isAway(manager)) return null;
  const supervisor = mayUse(desk.me, "supervisor");
  if (!manager.agent && !manager.due && !supervisor) return null;
  return html`<p class="channel">客户经理 ${manager.agent ? html`<b>${manager.agent.name}</b>` : html`<span class="hint">${manager.due || "没有"}</span>`}
    ${supervisor && html` <button type="button" class="link" onclick=${() => desk.ask(ManagerDialog, { talk, manager })}>${manager.agent ? "更换客户经理" : "配客户经理"}</button>`}</p>`;
}

function ManagerDialog({ desk, close, talk, manager }) {
  const [agent, setAgent] = useState(manager.agent?.id ?? "");
  const doing = useDoing(close);
  const run = () => doing.run(async () => {
    await desk.api.put(talk.path + "/manager", { agent_id: agent === "none" ? null : Number(agent), instead_of: manager.agent?.id ?? null });
    toast(agent === "none" ? "已取消客户经理" : "已配客户经理", "good");
    await desk.readCustomer(talk);
  });
  const agents = (desk.options?.agents || []).map((one) => ({ value: one.id, label: one.name, note: one.skills.map(skillWord).join("、") }));
  const options = manager.agent ? [...agents, { value: "none", label: "不配客户经理" }] : agents;
  return html`<${Dialog} title="客户经理" close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label="保存" run=${run} close=${close} disabled=${agent === ""}/>`}>
    <p class="hint">客户来找人工时，客户经理在岗有空就先派给他；回访也归他。</p>
    <div class="scroll-choices"><${Choices} label="由谁负责" name="manager" value=${agent} set=${setAgent} options=${options} required/></div><//>`;
}

function Identity({ desk, talk, card }) {
  const who = isAway(card.customer) ? {} : card.customer || {};
  return html`<header class="who-card">
    <p class="who-name">${who.name ? html`<${Masked} desk=${desk} talk=${talk} field="name" label="姓名" value=${who.name}/>` : customerOf(talk.case || {})}
      <span class=${"tag" + (who.assurance === 2 ? " going" : "")}>${ASSURANCE[who.assurance ?? 0]}</span></p>
    ${who.phone && html`<p class="who-phone">电话 <${Masked} desk=${desk} talk=${talk} field="phone" label="电话" value=${who.phone}/></p>`}
    ${isAway(card.customer) && html`<p class="away"><${WarningIcon}/>客户资料系统暂时连不上</p>`}
    <p class="tags"><${Flags} desk=${desk} flags=${partList(card.flags)}/></p>
    <${Channel} talk=${talk} channel=${card.channel}/>
    <${Manager} desk=${desk} talk=${talk} manager=${card.manager}/></header>`;
}

function CustomerColumn({ desk, talk }) {
  useEffect(() => {
    if (!talk.customer && !talk.customerLoading) desk.readCustomer(talk);
  }, [talk.id]);
  const { customer, customerError, customerLoading } = talk;
  return html`<aside class="customer-side" aria-label="客户资料">
    <div class="side-scroll" tabindex="0" role="region" aria-label="客户资料内容">
    ${customerLoading && !customer && html`<${Spinner} label="正在读取客户资料…"/>`}
    ${customerError && html`<${Failed} error=${customerError} retry=${() => desk.readCustomer(talk)}/>`}
    ${customer && html`<${Identity} desk=${desk} talk=${talk} card=${customer}/>
      <${Portrait} portrait=${customer.portrait}/>
      <${OrderPart} desk=${desk} talk=${talk} orders=${customer.orders}/>
      <${PromisePart} talk=${talk} promises=${customer.promises}/>
      <${AccountParts} desk=${desk} talk=${talk} accounts=${customer.accounts}/>
      <${ContactPart} desk=${desk} contacts=${customer.contacts}/>`}
    </div>
  </aside>`;
}
