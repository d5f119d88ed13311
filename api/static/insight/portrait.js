/* The portrait of one account: where it stands and why, its four dimensions, every feature with unit and formula. */
function FindAccount() {
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const submit = (event) => {
    event.preventDefault();
    const number = text.replace(/\s/g, "");
    if (!/^\d{10,13}$/.test(number)) return setError("请输入 10 到 13 位户号");
    return goTo("customers", { rest: ["accounts", number] });
  };
  return html`<form class="find no-print" role="search" aria-label="查一户的画像" onsubmit=${submit}>
    <label class="inline">查一户的画像<input inputmode="numeric" autocomplete="off" maxlength="20" placeholder="户号" value=${text} aria-invalid=${error ? "true" : null} aria-describedby="find-error" oninput=${(event) => (setText(event.target.value), setError(""))}/></label>
    <button type="submit"><${Glyph} name="search"/>查看</button><span class="form-error" id="find-error" role="alert">${error}</span></form>`;
}

const Facts = ({ rows }) => html`<dl class="facts">${rows.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

/* Where the account lies among those of its kind; the words say what the bar shows. */
const Place = ({ share }) => (share === null || share === undefined ? NOTHING : html`<span class="place"><meter min="0" max="1" value=${share} aria-label="同类中的位置"></meter><span class="num">${share ? "高于 " + amountOf(share, "share") + " 的同类" : "同类中最低"}</span></span>`);

/* Of what is or is not there a place among others says nothing. */
const isYesNo = ({ text }) => text === "是" || text === "否";

const FeatureRow = ({ one }) => html`<tr><th scope="row">${one.name}<span class="count">${one.note || ""}</span></th><td>${one.text || amountOf(one.value, one.unit)}</td><td>${one.usual || NOTHING}</td><td><${Place} share=${isYesNo(one) ? null : one.percentile}/></td><td class="formula">${one.formula}${unitName(one.unit) && html`<span class="count">（${unitName(one.unit)}）</span>`}</td></tr>`;

const Dimension = ({ one }) => html`<section class="card wide" aria-label=${one.name}><div class="card-head"><h3>${one.name}</h3></div>
  <div class="scroll-table tall" role="region" aria-label=${one.name + "，各项特征"} tabindex="0"><table class="grid features"><caption class="sr">${one.name}</caption>
    <thead><tr><th scope="col">特征</th><th scope="col">本户</th><th scope="col">同类中位</th><th scope="col">在同类中</th><th scope="col">怎么算</th></tr></thead>
    <tbody>${one.features.map((feature) => html`<${FeatureRow} key=${feature.key} one=${feature}/>`)}</tbody></table></div></section>`;

function Happened({ title, rows, none, line }) {
  return html`<section class="card" aria-label=${title}><div class="card-head"><h3>${title}</h3><span class="count">${rows.length} 条</span></div>
    ${rows.length ? html`<ul class="happened">${rows.map((row, i) => html`<li key=${i}>${line(row)}</li>`)}</ul>` : html`<p class="nothing">${none}</p>`}</section>`;
}

const linked = (to, label) => (to ? html`<${RowLink} to=${to} label=${label}/>` : label);
const onDay = (at) => html`<time class="num" datetime=${at}>${ISO_DAY.test(at) ? dayWords(at) : momentOf(at) || at}</time>`;

function Standing({ one }) {
  const { standing } = one;
  return html`<section class="card" aria-label="分群"><div class="card-head"><h3>分群</h3>${standing?.since && html`<span class="count">自 ${dayWords(standing.since, true)} 起</span>`}</div>
    ${one.thin ? html`<p class="stale">${one.thin}</p>` : null}
    ${standing ? html`<p class="standing"><b>${standing.name}</b>${one.tags.map((tag) => html`<span class="tag" key=${tag.key}>${tag.name}</span>`)}</p>
      <ul class="reasons">${standing.reasons.map((reason) => html`<li key=${reason}>${reason}</li>`)}</ul>` : html`<p class="nothing">还没有分群</p>`}
    ${one.events.length > 0 && html`<h4>之后发生的</h4><ul class="happened">${one.events.map((event) => html`<li key=${event.at + event.name}>${onDay(event.at)} <b>${event.name}</b> ${event.text}</li>`)}</ul>`}
    <p class="hint">分群只供内部安排服务，不得告诉客户，也不影响安全、事实答复和转人工。</p></section>`;
}

function PortraitPage({ app, account }) {
  const { value: one, error, reload } = useRead(app, "/portraits/" + encodeURIComponent(account), { keep: false });
  const back = html`<p class="crumbs no-print"><button type="button" class="link" onclick=${() => goTo("customers")}>客户</button> › 一户的画像</p>`;
  if (!one) return html`${back}${error ? (error.status === 404 ? html`<${Empty} glyph="search" title="没有这户的画像"><p>户号可能有误，或在最近一次分群之后才开户。</p><//>` : html`<${Failed} error=${error} retry=${reload}/>`) : html`<${Skeleton}/>`}`;
  const { shown } = one;
  return html`${back}<div class="board portrait"><div class="portrait-head"><h2>${shown.customer}<span class="num">${shown.account_no}</span></h2><p class="count">画像截至 ${asOfWords(one.as_of)}，${one.compared}；姓名、户号、地址已脱敏</p></div>
    <div class="charts"><section class="card" aria-label="基本情况"><div class="card-head"><h3>基本情况</h3></div><${Facts} rows=${[["地址", shown.address], ["供电区域", shown.district], ["用电类别", shown.user_class], ["常用交费", shown.pay_channel], ["账单历史", shown.history_months + " 个月"], ...(shown.more || [])]}/></section>
      <${Standing} one=${one}/>
      <${Happened} title="推荐" rows=${one.recommendations} none="没有推荐过" line=${(row) => html`${row.month} <b>${row.name}</b> ${row.text} <span class="tag">${row.state}</span>`}/>
      ${one.dimensions.map((dimension) => html`<${Dimension} key=${dimension.key} one=${dimension}/>`)}
      <${Happened} title="工单" rows=${one.orders} none="没有工单" line=${(row) => html`${onDay(row.at)} ${linked(row.link, row.name + " " + row.no)} <span class="tag">${row.state}</span>`}/>
      <${Happened} title="活动" rows=${one.campaigns} none="没有发过活动" line=${(row) => html`<b>${row.name}</b> <span class="tag">${row.at ? "已读到" : "还没有读到"}</span> ${row.at && onDay(row.at)}`}/>
      <${Happened} title="最近联系" rows=${one.contacts} none="没有联系过" line=${(row) => html`${onDay(row.at)} ${linked(row.link, row.topic)} <span class="tag">${row.channel}</span>`}/></div></div>`;
}

function Customers({ app, query, rest }) {
  if (rest[0] === "accounts" && rest[1]) return html`<${PortraitPage} key=${rest[1]} app=${app} account=${rest[1]}/>`;
  return html`<${Toolbar} query=${query} channels=${false}/><${Board} app=${app} name="customers" query=${withoutChannel(query)} before=${html`<${FindAccount}/>`}/>`;
}

/* What has no channel is asked for without one. */
const withoutChannel = (query) => {
  const all = asked(query);
  all.delete("channel");
  return all.toString();
};
