/* Bills, balances, payments and accounts as real tables. Figures are shown exactly as the bridge wrote them. */
const filled = (value) => value !== undefined && value !== null && value !== "";
const nonZero = (value) => filled(value) && Number(value) !== 0;
const Money = ({ value }) => html`<span class="num">${value}</span> 元`;

/* One labelled line of a card; a line without a value does not appear. */
const Row = ({ label, value, strong, children }) =>
  (filled(value) || children) &&
  html`<tr class=${strong ? "strong" : ""}><th scope="row">${label}</th><td>${children || value}</td></tr>`;

const MoneyRow = ({ label, value, strong }) =>
  filled(value) && html`<${Row} label=${label} strong=${strong}><${Money} value=${value}/><//>`;

/* Only words that say so are coloured, and the colour never stands alone. */
function statusTone(status) {
  if (/未|欠|逾期|失败|违约/.test(status)) return "due";
  if (/退回/.test(status)) return "";
  return /已|结清|成功/.test(status) ? "fine" : "";
}

const Status = ({ status }) => filled(status) && html`<span class=${"status " + statusTone(status)}>${status}</span>`;

const Foot = ({ card, text }) => html`
  <div class="foot">
    ${card.note && html`<p class="note"><${Words} text=${card.note}/></p>`}
    <div class="foot-line">
      ${card.as_of && html`<span class="as-of">数据截至 <span class="num">${card.as_of}</span></span>`}
      ${text && html`<${CopyButton} text=${text}/>`}
    </div>
  </div>`;

/* A table with a heading column and a figure column; what explains the heading stands below it. */
const Ledger = ({ caption, head, rows, total }) => html`
  <table class="ledger">
    <caption>${caption}</caption>
    <thead><tr><th scope="col">${head[0]}</th><th scope="col" class="right">${head[1]}</th></tr></thead>
    <tbody>
      ${rows.map(
        (row) => html`<tr>
          <th scope="row">${row.name}${row.below && html`<span class="below">${row.below}</span>`}</th>
          <td class="right">${row.figure}${row.mark && html`<span class="below">${row.mark}</span>`}</td>
        </tr>`,
      )}
    </tbody>
    ${total && html`<tfoot><tr><th scope="row">${total.name}</th><td class="right">${total.figure}</td></tr></tfoot>`}
  </table>`;

function billLine(line) {
  const how = [];
  if (filled(line.quantity)) how.push(line.quantity + " " + (line.unit || ""));
  /* A charge on an amount of money has a share for its price, not yuan. */
  if (filled(line.price)) how.push(line.price + (line.unit === "元" ? "" : " 元"));
  return { name: line.label, below: how.join(" × "), figure: html`<${Money} value=${line.amount}/>` };
}

const BillCard = ({ card, text }) => html`
  <div class="card">
    <table class="facts">
      <caption>${card.title}</caption>
      <tbody>
        <${Row} label="电费" strong><${Money} value=${card.amount}/> <${Status} status=${card.status}/><//>
        ${filled(card.kwh) && html`<${Row} label="用电量"><span class="num">${card.kwh}</span> 度<//>`}
        ${nonZero(card.unpaid) && html`<${MoneyRow} label="已缴" value=${card.paid}/>`}
        ${nonZero(card.unpaid) && html`<${MoneyRow} label="待缴" value=${card.unpaid} strong/>`}
        ${nonZero(card.unpaid) && html`<${Row} label="缴费期限" value=${card.due}/>`}
        <${Row} label="户号" value=${card.account}/>
        <${Row} label="用电地址" value=${card.address}/>
        <${Row} label="计费周期" value=${card.period}/>
      </tbody>
    </table>
    ${card.lines?.length > 0 &&
    html`<${Ledger} caption="电费明细" head=${["项目", "金额"]} rows=${card.lines.map(billLine)}/>`}
    <${Foot} card=${card} text=${text}/>
  </div>`;

const BillMonthsCard = ({ card, text }) => html`
  <div class="card">
    <${Ledger}
      caption=${card.title}
      head=${["月份", "电费"]}
      rows=${card.months.map((month) => ({
        name: month.label,
        below: filled(month.kwh) && month.kwh + " 度",
        figure: html`<${Money} value=${month.amount}/>`,
        mark: html`<${Status} status=${month.status}/>`,
      }))}
      total=${filled(card.amount) && {
        name: "合计" + (filled(card.kwh) ? "（" + card.kwh + " 度）" : ""),
        figure: html`<${Money} value=${card.amount}/>`,
      }}
    />
    ${card.account && html`<p class="note">户号 <span class="num">${card.account}</span></p>`}
    <${Foot} card=${card} text=${text}/>
  </div>`;

const BalanceCard = ({ card, text }) => html`
  <div class="card">
    <table class="facts">
      <caption>${card.title}</caption>
      <tbody>
        ${nonZero(card.owed) &&
        html`<${Row} label="欠费" strong><${Money} value=${card.owed}/> <span class="status due">待缴</span><//>`}
        <${MoneyRow} label="账户余额" value=${card.balance} strong=${!nonZero(card.owed)}/>
        ${nonZero(card.late_fee) && html`<${MoneyRow} label="违约金" value=${card.late_fee}/>`}
        <${Row} label="户号" value=${card.account}/>
      </tbody>
    </table>
    ${card.bills?.length > 0 &&
    html`<${Ledger}
      caption="待缴账单"
      head=${["账单", "待缴"]}
      rows=${card.bills.map((bill) => ({
        name: bill.label,
        below: bill.due && "缴费期限 " + bill.due,
        figure: html`<${Money} value=${bill.unpaid ?? bill.amount}/>`,
        mark: filled(bill.unpaid) && bill.unpaid !== bill.amount && "共 " + bill.amount + " 元",
      }))}
    />`}
    <${Foot} card=${card} text=${text}/>
  </div>`;

const PaymentCard = ({ card, text }) => html`
  <div class="card">
    <${Ledger}
      caption=${card.title}
      head=${["缴费", "金额"]}
      rows=${card.rows.map((row) => ({
        name: row.date,
        below: row.channel,
        figure: html`<${Money} value=${row.amount}/>`,
        mark: html`<${Status} status=${row.status}/>`,
      }))}
      total=${filled(card.total) && { name: "合计", figure: html`<${Money} value=${card.total}/>` }}
    />
    ${card.account && html`<p class="note">户号 <span class="num">${card.account}</span></p>`}
    <${Foot} card=${card} text=${text}/>
  </div>`;

const AccountCard = ({ card, text }) => html`
  <div class="card">
    <${Ledger}
      caption=${card.title}
      head=${["户号", "类别"]}
      rows=${card.rows.map((row) => ({ name: row.account, below: row.address, figure: row.class }))}
    />
    <${Foot} card=${card} text=${text}/>
  </div>`;

/* Any facts by name: the position in the step year, an outage, what a business needs. */
const FactCard = ({ card, text }) => html`
  <div class="card">
    <table class="facts">
      <caption>${card.title}</caption>
      <tbody>${card.rows.map((row) => html`<${Row} label=${row.label} value=${row.value} strong=${row.strong}/>`)}</tbody>
    </table>
    <${Foot} card=${card} text=${text}/>
  </div>`;

/* Any table: the first column names, the others are figures. */
const TableCard = ({ card, text }) => html`
  <div class="card">
    <table class="ledger">
      <caption>${card.title}</caption>
      <thead><tr>${card.columns.map((name, place) => html`<th scope="col" class=${place ? "right" : ""}>${name}</th>`)}</tr></thead>
      <tbody>
        ${card.rows.map(
          (row) => html`<tr>${row.map((cell, place) =>
            place ? html`<td class="right"><span class="num">${cell}</span></td>` : html`<th scope="row">${cell}</th>`)}</tr>`,
        )}
      </tbody>
    </table>
    <${Foot} card=${card} text=${text}/>
  </div>`;

const CARDS = new Map([
  ["bill_card", (props) => (props.card.months ? BillMonthsCard(props) : BillCard(props))],
  ["usage_chart", (props) => UsageCard(props)],
  ["balance_card", BalanceCard],
  ["payment_list", PaymentCard],
  ["account_list", AccountCard],
  ["fact_card", FactCard],
  ["table_card", TableCard],
]);

/* A card that we cannot draw is still worth reading: its plain text takes its place. */
class Card extends Component {
  componentDidCatch() {
    this.setState({ broken: true });
  }

  render({ message, big }, { broken }) {
    const Drawn = CARDS.get(message.type);
    if (!Drawn || !message.card || broken) return html`<div class="bubble"><${Words} text=${message.text}/></div>`;
    return html`<${Drawn} card=${message.card} text=${message.text} big=${big}/>`;
  }
}
