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

/* Where he writes from, and how many messages that channel still lets us send. */
function Channel({ talk, channel }) {
  if (!channel) return null;
  const quota = channel.wechat_quota;
  const left = quota?.left ?? quota;
  return html`<p class="channel">来自 ${wordOf(talk, "channels", channel.name)}${filled(left) && html` · <b class=${left <= 1 ? "bad" : ""}>还可发 ${left} 条</b>`}${quota?.until && html`，${momentOf(quota.until)} 前有效`}</p>`;
}

function Portrait({ portrait }) {
  if (!portrait || isAway(portrait)) return null;
  const rows = partList(portrait.tags || portrait);
  return html`<${Part} title="客户画像">${portrait.segment && html`<p><span class="tag segment">${portrait.segment}</span></p>`}
    ${rows.length > 0 && html`<p class="tags">${rows.map((one) => html`<span class="tag">${one.label || one}${one.value ? "：" + one.value : ""}</span>`)}</p>`}
    ${portrait.text && html`<p>${portrait.text}</p>`}<//>`;
}

function Identity({ desk, talk, card }) {
  const who = isAway(card.customer) ? {} : card.customer || {};
  return html`<header class="who-card">
    <p class="who-name">${who.name ? html`<${Masked} desk=${desk} talk=${talk} field="name" label="姓名" value=${who.name}/>` : customerOf(talk.case || {})}
      <span class=${"tag" + (who.assurance === 2 ? " going" : "")}>${ASSURANCE[who.assurance ?? 0]}</span></p>
    ${who.phone && html`<p class="who-phone">电话 <${Masked} desk=${desk} talk=${talk} field="phone" label="电话" value=${who.phone}/></p>`}
    ${isAway(card.customer) && html`<p class="away"><${WarningIcon}/>客户资料系统暂时连不上</p>`}
    <p class="tags"><${Flags} desk=${desk} flags=${partList(card.flags)}/></p>
    <${Channel} talk=${talk} channel=${card.channel}/></header>`;
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
