/* The parts of the customer's panel: accounts with their bills, orders, promises, contacts. */
const Pair = ({ name, children }) => html`<div class="pair"><dt>${name}</dt><dd>${children}</dd></div>`;

/* A part of the card is a list, or says that its system is away. */
const partList = (part) => (Array.isArray(part) ? part : []);
const isAway = (part) => Boolean(part && part.unavailable);
const yuanOf = (value) => html`<span class="num">${value}</span> 元`;
const monthWord = (month) => {
  const found = /^(\d{4})-(\d{2})/.exec(String(month || ""));
  return found ? found[1] + "年" + Number(found[2]) + "月" : String(month || "");
};

/* The Chinese names of the card's keys come with the card. */
const wordOf = (talk, group, key) => talk.customer?.labels?.[group]?.[key] || key || "";

function Part({ title, part, count, children, empty, open = true }) {
  const [shut, setShut] = useState(store.read("desk:part:" + title, !open));
  const toggle = () => {
    store.write("desk:part:" + title, !shut);
    setShut(!shut);
  };
  const body = isAway(part) ? html`<p class="away"><${WarningIcon}/>系统暂时连不上，稍后再看</p>` : children || html`<p class="nothing">${empty}</p>`;
  return html`<section class="part"><h2><button type="button" aria-expanded=${String(!shut)} onclick=${toggle}><${Glyph} name="chevron"/>${title}${count > 0 && html`<span class="count num">${count}</span>`}</button></h2>${!shut && html`<div class="part-body">${body}</div>`}</section>`;
}

/* Several accounts: one is chosen, its bills and payments stand below. */
function AccountParts({ desk, talk, accounts }) {
  const [chosen, setChosen] = useState(0);
  const rows = partList(accounts);
  const one = rows[chosen] || rows[0];
  return html`<${Part} title="户号" part=${accounts} count=${rows.length} empty="没有绑定户号">
      ${one && html`${rows.length > 1 && html`<div class="account-tabs" role="group" aria-label="选择户号">${rows.map(
          (row, place) => html`<button type="button" aria-pressed=${String(row === one)} onclick=${() => setChosen(place)}>${row.account_no}${row.overdue && html`<i class="dot owed"></i><span class="sr">欠费</span>`}</button>`,
        )}</div>`}<${Account} key=${one.ref} desk=${desk} talk=${talk} one=${one}/>`}<//>
    ${one && html`<${BillPart} key=${"b" + one.ref} talk=${talk} one=${one}/><${PaymentPart} key=${"p" + one.ref} talk=${talk} payments=${one.payments}/>`}`;
}

/* Arrears are what is past its due date alone; a bill that is not due yet waits to be paid. */
function standingOf(one) {
  if (one.overdue) return html`<b class="bad">欠费 ${yuanOf(one.arrears)}${Number(one.late_fee) > 0 && html`（违约金 ${one.late_fee}）`}</b>`;
  return html`<span>${Number(one.owed) > 0 ? html`待缴 ${yuanOf(one.owed)}` : "无欠费"}</span>`;
}

function Account({ desk, talk, one }) {
  return html`<div class="account">
    <p class="account-top"><${Masked} desk=${desk} talk=${talk} field=${"account_no:" + one.ref} label="户号" value=${one.account_no}/>
      <span class="tag">${wordOf(talk, "user_classes", one.user_class)}</span>${one.prepaid && html`<span class="tag">预付费</span>`}${one.status !== "open" && html`<span class="tag bad">${wordOf(talk, "account_status", one.status)}</span>`}</p>
    ${one.owner && html`<p class="account-line">户主 <${Masked} desk=${desk} talk=${talk} field=${"name:" + one.ref} label="户主姓名" value=${one.owner}/></p>`}
    <p class="account-line"><${Masked} desk=${desk} talk=${talk} field=${"address:" + one.ref} label="用电地址" value=${one.address}/></p>
    <p class="money">${standingOf(one)}${Number(one.balance) > 0 && html`<span>余额 ${yuanOf(one.balance)}</span>`}</p>
    ${partList(one.unpaid).map((bill) => html`<p class=${"account-line" + (bill.overdue_days > 0 ? " bad" : "")}>${monthWord(bill.month)} 待缴 ${yuanOf(bill.unpaid)}，${bill.overdue_days > 0 ? "已逾期 " + bill.overdue_days + " 天" : bill.due_on + " 前"}</p>`)}
  </div>`;
}

const BillBar = ({ share }) => html`<svg class="bill-bar" viewBox="0 0 40 6" preserveAspectRatio="none" aria-hidden="true"><rect width=${Math.max(1, Math.round(share * 40))} height="6"/></svg>`;

/* This month so far against the same month a year ago, in one line. */
function usageWords({ present, last_year }) {
  if (!present) return "";
  return "本月至今 " + present.kwh + " 度" + (last_year ? "，去年同月 " + last_year.kwh + " 度" : "");
}

function BillPart({ talk, one }) {
  const [all, setAll] = useState(false);
  const rows = partList(one.bills);
  const most = Math.max(1, ...rows.map((bill) => Number(bill.kwh) || 0));
  return html`<${Part} title="近 12 个月账单" count=${rows.length} empty="没有账单">
    ${rows.length > 0 && html`<table class="bills"><thead><tr><th scope="col">月份</th><th scope="col" class="right">电量（度）</th><th scope="col" class="right">电费（元）</th><th scope="col">状态</th></tr></thead>
      <tbody>${(all ? rows : rows.slice(0, 4)).map((bill) => html`<tr><th scope="row" class="num">${bill.month.slice(0, 7)}</th>
        <td class="right num"><${BillBar} share=${(Number(bill.kwh) || 0) / most}/>${bill.kwh}${bill.estimated && html`<abbr title="估算读数">估</abbr>`}</td><td class="right num">${bill.amount}</td>
        <td><span class=${"status " + { paid: "fine", overdue: "due", unpaid: "", partly: "due" }[bill.status]}>${wordOf(talk, "bill_status", bill.status)}</span></td></tr>`)}</tbody></table>
      ${rows.length > 4 && html`<button type="button" class="link" aria-expanded=${String(all)} onclick=${() => setAll(!all)}>${all ? "收起" : "全部 " + rows.length + " 个月"}</button>`}
      ${one.usage && usageWords(one.usage) && html`<p class="hint">${usageWords(one.usage)}</p>`}`}<//>`;
}

const PaymentPart = ({ talk, payments }) => html`<${Part} title="缴费" count=${partList(payments).length} empty="没有缴费记录" open=${false}>
  ${partList(payments).length > 0 && html`<ul class="plain">${partList(payments).slice(0, 12).map((one) => html`<li><time class="num" datetime=${one.paid_at}>${momentOf(one.paid_at)}</time><span>${wordOf(talk, "payment_channels", one.channel)}</span><b>${yuanOf(one.amount)}</b>${one.status !== "succeeded" && html`<span class="tag bad">${wordOf(talk, "payment_status", one.status)}</span>`}</li>`)}</ul>`}<//>`;

const promiseWord = (talk, promise) => promise && wordOf(talk, "promises", promise.kind) + " " + momentOf(promise.due_at) + " 前";

const OrderPart = ({ desk, talk, orders }) => html`<${Part} title="工单" part=${orders} count=${partList(orders).length} empty="没有在办或近期工单">
  ${partList(orders).length > 0 && html`<ul class="orders">${partList(orders).map((one) => html`<li><button type="button" onclick=${() => desk.ask(OrderDialog, { talk, orderNo: one.order_no })}>
    <span class="order-top"><b>${one.title}</b><span class=${"tag" + (one.open ? " going" : "")}>${wordOf(talk, "states", one.state)}</span>${one.priority === "urgent" && html`<span class="tag bad">加急</span>`}${one.urges > 0 && html`<span class="tag repeat">催办 ${one.urges}</span>`}</span>
    <span class="order-sub num"><span>${one.order_no}</span>${one.promise && html`<span class=${one.promise.overdue ? "bad" : ""}>${promiseWord(talk, one.promise)}${one.promise.overdue ? "，已过" : ""}</span>`}</span></button></li>`)}</ul>`}<//>`;

const PromisePart = ({ talk, promises }) => html`<${Part} title="对客户的承诺" part=${promises} count=${partList(promises).length} empty="没有未了的承诺">
  ${partList(promises).length > 0 && html`<ul class="plain promises">${partList(promises).map((one) => html`<li class=${one.overdue ? "late" : ""}><span>${[one.title || one.area, wordOf(talk, "promises", one.kind)].filter(Boolean).join("：")}</span><b class="num">${momentOf(one.due_at)} 前</b><span class=${"tag" + (one.overdue ? " bad" : "")}>${one.kept_at ? "已兑现" : one.overdue ? "已过期" : "未到期"}</span></li>`)}</ul>`}<//>`;

function ContactPart({ desk, contacts }) {
  const rows = partList(contacts?.cases);
  const named = (list, key) => (desk.options?.[list] || []).find((one) => one.key === key)?.label || key;
  return html`<${Part} title="联系人工的记录" part=${contacts} count=${rows.length} empty="第一次联系人工">
    ${contacts?.within_72h > 1 && html`<p class="often"><${WarningIcon}/>72 小时内联系了 ${contacts.within_72h} 次</p>`}
    ${rows.length > 0 && html`<ul class="plain contacts">${rows.map((one) => html`<li><time class="num" datetime=${one.requested_at}>${momentOf(one.requested_at)}</time>
      <span>${[one.category && named("categories", one.category), one.outcome && named("outcomes", one.outcome)].filter(Boolean).join(" · ") || (one.ended_at ? REASONS[one.reason] : (REASONS[one.reason] || "") + "（进行中）")}</span>
      ${one.agent_id && html`<span>${desk.agentName(one.agent_id)}</span>`}</li>`)}</ul>`}<//>`;
}
