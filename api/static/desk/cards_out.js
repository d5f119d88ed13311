/* What else goes to the customer: a card with figures from the systems, or the start of a form. */
const CARD_KINDS = [
  { value: "bill", label: "电费账单", note: "某个月的金额和明细" },
  { value: "balance", label: "余额欠费", note: "账户余额和待缴账单" },
  { value: "order", label: "工单进度", note: "一张工单的状态和承诺" },
  { value: "outage", label: "停电信息", note: "地址现在有没有停电" },
];

function CardDialog({ desk, close, talk }) {
  const customer = talk.customer;
  const accounts = partList(customer?.accounts);
  const orders = partList(customer?.orders);
  const [kind, setKind] = useState(accounts.length ? "bill" : orders.length ? "order" : "outage");
  const [account, setAccount] = useState("0");
  const months = partList(accounts[Number(account)]?.bills);
  const [month, setMonth] = useState("");
  const [order, setOrder] = useState(orders[0]?.order_no || "");
  const doing = useDoing(close);
  const chosenMonth = month || months[0]?.month || "";
  const run = () => {
    if (kind === "order" && !order) return doing.say("请选择工单");
    const card = { kind, ...(kind === "order" ? { order_no: order } : { account: Number(account) }), ...(kind === "bill" && chosenMonth ? { month: String(chosenMonth).slice(0, 7) } : {}) };
    return doing.run(async () => desk.sends.add(talk.id, { card }, "［" + CARD_KINDS.find((one) => one.value === kind).label + "卡片］"));
  };
  const off = { bill: !accounts.length, balance: !accounts.length, order: !orders.length, outage: false };
  return html`<${Dialog} title="给客户发卡片" close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label="发送" run=${run} close=${close}/>`}>
    <${Choices} label="发什么" name="card" value=${kind} set=${setKind} options=${CARD_KINDS.map((one) => ({ ...one, off: off[one.value] }))}/>
    ${kind !== "order" && accounts.length > 1 && html`<${SelectField} label="户号" value=${account} set=${setAccount} none="" options=${accounts.map((one, place) => ({ value: String(place), label: [one.account_no, one.address].filter(Boolean).join(" ") }))}/>`}
    ${kind === "bill" && html`<${SelectField} label="月份" value=${chosenMonth} set=${setMonth} options=${months.map((one) => ({ value: one.month, label: monthWord(one.month) + "　" + one.amount + " 元" }))} none="最近一期"/>`}
    ${kind === "order" && html`<${SelectField} label="工单" value=${order} set=${setOrder} options=${orders.map((one) => ({ value: one.order_no, label: one.title + "　" + one.order_no }))}/>`}
  <//>`;
}

/* A business whose form opens for the customer when he presses the button. */
function FormDialog({ desk, close, talk }) {
  const { value, error, loading } = useAsk(() => desk.businesses(), []);
  const [query, setQuery] = useState("");
  const doing = useDoing(close);
  const found = businessesFor(desk, value || [], query, intentsOf(desk, talk));
  const send = (one) => doing.run(async () => desk.sends.add(talk.id, { form: one.key }, "［表单：" + one.title + "］"));
  return html`<${Dialog} title="请客户填表" close=${close} size="small">
    <p class="hint">客户会收到一个按钮，点开后由电小服逐项询问，您能看到过程。</p>
    <${TextField} label="查找业务" value=${query} set=${setQuery} placeholder="如：报修、校表、投诉"/>
    ${loading && html`<${Spinner}/>`}${error && html`<${Failed} error=${error}/>`}<${DoingError} doing=${doing}/>
    <ul class="intent-list">${found.map((one) => html`<li><button type="button" onclick=${() => send(one)}>${one.title}</button></li>`)}</ul>
    ${value && !found.length && html`<${NoBusiness} query=${query}/>`}
  <//>`;
}

Object.assign(Desk.prototype, {
  /* Read once; the table of businesses changes with a release only. */
  async businesses() {
    this.businessRows ??= this.api.get("/businesses").catch((error) => {
      this.businessRows = null;
      throw error;
    });
    const answer = await this.businessRows;
    return Array.isArray(answer) ? answer : answer.businesses || [];
  },
});
