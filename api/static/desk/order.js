/* One work order: where it stands, what was promised, what happened; moved on, hurried, sent to the customer. */
const DETAIL_NAMES = /^[\u4e00-\u9fff]/;

/* What happened to an order, in words: 状态变化 → 处理中（工作人员）. */
function historyWords(talk, one) {
  const what = one.to ? wordOf(talk, "states", one.to) : wordOf(talk, "events", one.kind);
  return html`<b>${what}</b> <span class="by-whom">${one.agent ? wordOf(talk, "by", "agent") + " " + one.agent : wordOf(talk, "by", one.by)}</span>${[one.reason, one.note].filter(Boolean).map((text) => html` ${text}`)}`;
}

function OrderFacts({ desk, talk, order }) {
  const field = (part) => "order:" + order.order_no + ":" + part;
  const details = Object.entries(order.details || {}).filter(([name, value]) => DETAIL_NAMES.test(name) && filled(value) && typeof value !== "object");
  return html`<dl class="pairs order-facts">
    <${Pair} name="工单号"><span class="num">${order.order_no}</span><//>
    <${Pair} name="状态"><span class=${"tag" + (order.open ? " going" : "")}>${order.state_text || wordOf(talk, "states", order.state)}</span>${order.priority === "urgent" && html` <span class="tag bad">加急</span>`}<//>
    <${Pair} name="受理时间"><span class="num">${momentOf(order.opened_at)}</span><//>
    ${order.promise && html`<${Pair} name="承诺"><span class=${order.promise.overdue ? "bad" : ""}>${promiseWord(talk, order.promise)}${order.promise.overdue ? "，已过" : ""}</span><//>`}
    ${order.address && html`<${Pair} name="地址"><${Masked} desk=${desk} talk=${talk} field=${field("address")} label="工单地址" value=${order.address}/><//>`}
    ${order.contact && html`<${Pair} name="联系电话"><${Masked} desk=${desk} talk=${talk} field=${field("contact")} label="工单联系电话" value=${order.contact}/><//>`}
    ${order.account_no && html`<${Pair} name="户号"><${Masked} desk=${desk} talk=${talk} field=${field("account_no")} label="工单户号" value=${order.account_no}/><//>`}
    ${order.description && html`<${Pair} name="内容"><${Masked} desk=${desk} talk=${talk} field=${field("description")} label="工单内容" value=${order.description}/><//>`}
    ${details.map(([name, value]) => html`<${Pair} name=${name}>${String(value)}<//>`)}
  </dl>`;
}

function OrderProgress({ desk, talk, order, path, act, doing }) {
  const [state, setState] = useState("");
  const [note, setNote] = useState("");
  const nexts = (order.next || []).map((key) => ({ value: key, label: wordOf(talk, "states", key) }));
  if (!nexts.length) return null;
  const save = () => (state ? act(() => desk.api.post(path + "/progress", { state, note: note.trim() }), "工单已更新") : doing.say("请选择新的状态"));
  return html`<section class="order-progress"><h3>更新进度</h3>
    <${Choices} label="改为" name="state" value=${state} set=${setState} options=${nexts} required/>
    <${TextField} label="给客户的说明" value=${note} set=${setNote} lines="2" max="200" hint="等这张工单的客户会收到"/>
    <div class="row-end"><button type="button" class="primary" aria-disabled=${String(doing.busy)} onclick=${save}>保存进度</button></div></section>`;
}

function OrderDialog({ desk, close, talk, orderNo }) {
  const path = talk.path + "/orders/" + encodeURIComponent(orderNo);
  const { value: order, error, reload } = useAsk(() => desk.api.get(path), [orderNo]);
  const doing = useDoing(() => {});
  const act = (work, said) =>
    doing.run(async () => {
      const answer = await work();
      toast(answer?.counted === false ? "刚催过，10 分钟内不重复计" : said, "good");
      doing.say("");
      reload();
      desk.readCustomer(talk);
    }).then(() => doing.rest());
  const may = talk.mine || mayUse(desk.me, "supervisor");
  const send = () => {
    desk.sends.add(talk.id, { card: { kind: "order", order_no: order.order_no } }, "［工单进度卡片］");
    close();
  };
  return html`<${Dialog} title=${order ? order.title : "工单"} close=${close}>
    ${!order && !error && html`<${Spinner}/>`}${error && html`<${Failed} error=${error} retry=${reload}/>`}
    ${order && html`<${OrderFacts} desk=${desk} talk=${talk} order=${order}/>
      <${DoingError} doing=${doing}/>
      ${may && html`<div class="order-acts">
        ${order.open && html`<button type="button" onclick=${() => act(() => desk.api.post(path + "/urge"), "已催办")}><${Glyph} name="bell"/>催办</button>`}
        ${talk.writable && html`<button type="button" onclick=${send}><${Glyph} name="card"/>发给客户</button>`}</div>
      <${OrderProgress} key=${order.state} desk=${desk} talk=${talk} order=${order} path=${path} act=${act} doing=${doing}/>`}
      <h3>经过</h3>
      <ol class="history">${partList(order.history).map((one) => html`<li><time class="num" datetime=${one.at}>${momentOf(one.at)}</time><span>${historyWords(talk, one)}</span></li>`)}</ol>`}
  <//>`;
}
