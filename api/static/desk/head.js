/* The head of a conversation: whose it is, its clocks, what can be done; who else looks on; what the bot had understood. */
function Deeds({ desk, talk }) {
  const one = talk.case;
  const held = talk.mine && one.mode === "human";
  const boss = mayUse(desk.me, "supervisor") && !talk.mine;
  if (!one || talk.ended) return talk.can.take_over ? html`<div class="deeds"><${TakeOver} desk=${desk} talk=${talk}/></div>` : null;
  if (talk.mine && one.mode === "wrap_up") {
    return html`<div class="deeds"><button type="button" onclick=${() => desk.reopen(talk)}><${Glyph} name="back"/>恢复服务</button>
      <button type="button" class="primary" onclick=${() => desk.wrapUp(talk.id)}><${Glyph} name="edit"/>填写小结</button></div>`;
  }
  if (one && (one.mode === "offered" || one.mode === "queued" || (one.left_message && !one.holder)) && !talk.mine) {
    const offered = one.offered_to === desk.me.id;
    return html`<div class="deeds">${boss && bossDeeds(desk, talk, true)}
      <button type="button" class="primary" onclick=${() => (offered ? desk.accept(one) : desk.claim(one))}>${offered ? "接入" : one.left_message ? "处理留言" : "领取"}</button></div>`;
  }
  if (boss && one?.holder) return html`<div class="deeds">${bossDeeds(desk, talk, false)}</div>`;
  if (!held) return null;
  return html`<div class="deeds" role="toolbar" aria-label="会话操作">
    <button type="button" title="转接（Alt+T）" onclick=${() => desk.ask(TransferDialog, { talk })}><${Glyph} name="transfer"/>转接</button>
    <button type="button" title="求助班长（Alt+H）" onclick=${() => askHelp(desk, talk)}><${Glyph} name="help"/>求助</button>
    ${one.paused_reason
      ? html`<button type="button" title="恢复计时（Alt+P）" onclick=${() => desk.resume(talk)}><${Glyph} name="play"/>恢复计时</button>`
      : html`<button type="button" title="暂停计时（Alt+P）" onclick=${() => desk.ask(PauseDialog, { talk })}><${Glyph} name="pause"/>暂停</button>`}
    <button type="button" title="建工单（Alt+O）" onclick=${() => desk.ask(FileOrderDialog, { talk })}><${Glyph} name="order"/>建工单</button>
    <button type="button" class="primary" title="结束服务（Alt+E）" onclick=${() => desk.finish(talk)}><${Glyph} name="done"/>结束服务</button>
  </div>`;
}

const TakeOver = ({ desk, talk, first }) => html`<button type="button" class=${first ? "primary" : ""} onclick=${() => desk.takeOver(talk)}><${Glyph} name="hand"/>接管</button>`;

const bossDeeds = (desk, talk, waiting) => html`
  ${!waiting && html`<button type="button" onclick=${() => whisperTo(desk, talk)}><${Glyph} name="ear"/>耳语</button>`}
  <button type="button" onclick=${() => desk.ask(TransferDialog, { talk, reassign: true })}><${Glyph} name="transfer"/>改派</button>
  <${TakeOver} desk=${desk} talk=${talk} first=${!waiting}/>`;

/* The same customer over several channels is one conversation. */
const Together = ({ talk }) => talk.channels.length > 1 && html`<span class="together">${talk.channels.map(channelWord).join(" + ")} 同一会话</span>`;

function TalkHead({ desk, talk }) {
  const one = talk.case;
  if (!one) return html`<header class="talk-head"><div class="talk-who"><h1>会话</h1>${talk.loaded && html`<span class=${"tag mode " + talk.mode}>${CASE_MODES[talk.mode] || talk.mode}</span>`}<${Together} talk=${talk}/></div><${Deeds} desk=${desk} talk=${talk}/></header>`;
  const { ended } = talk;
  const holder = one.holder && !talk.mine && !ended ? one.holder.name : "";
  const mode = ended ? "closed" : one.mode;
  return html`<header class="talk-head">
    <div class="talk-who">
      <h1>${customerOf(one)}</h1>
      ${one.customer?.segment && html`<span class="tag segment">${one.customer.segment}</span>`}
      <span class=${"tag mode " + mode}>${CASE_MODES[mode] || mode}</span>
      ${holder && html`<span class="tag holder">由 ${holder} 接待</span>`}
      <${Priority} one=${one}/><${Flags} desk=${desk} flags=${(one.customer?.flags || []).filter((flag) => flag !== "danger" || one.priority !== 0)}/>
      <${Together} talk=${talk}/>
      ${one.repeat > 0 && html`<span class="tag repeat">72小时内第${one.repeat + 1}次</span>`}
    </div>
    <div class="talk-clocks">
      <span class="why"><b>${reasonOf(one)}</b> · ${skillWord(one.skill)}</span>
      <${ClockBadge} name="first_response" clock=${one.clocks?.first_response}/>
      <${ClockBadge} name="closure" clock=${one.clocks?.closure}/>
    </div>
    <${Deeds} desk=${desk} talk=${talk}/>
  </header>`;
}

/* How a case ended, and who has the customer now. */
function endedWords({ ended, mode }) {
  const about = [ended.ended_at && momentOf(ended.ended_at), ended.agent && "由 " + ended.agent + " 接待", ended.outcome].filter(Boolean).join("，");
  return "人工服务已结束" + (about ? "：" + about : "") + (mode === "bot" ? "。现在由电小服接待" : "");
}

/* Two people at one customer see each other; who may not write is told why. */
function Banners({ desk, talk }) {
  const one = talk.case;
  const { others } = talk;
  const typing = others.filter((other) => other.typing).map((other) => other.name);
  const looking = others.filter((other) => !other.typing).map((other) => other.name);
  return html`<div class="banners" role="status">
    ${typing.length > 0 && html`<p class="banner strong"><${Glyph} name="edit"/>${typing.join("、")} 正在输入，小心重复回复</p>`}
    ${looking.length > 0 && html`<p class="banner"><${Glyph} name="eye"/>${looking.join("、")} 也在看</p>`}
    ${one?.paused_reason && html`<p class="banner paused"><${Glyph} name="pause"/>办结计时已暂停：${desk.pauseWord(one.paused_reason)}
      ${talk.mine && html`<button type="button" class="link" onclick=${() => desk.resume(talk)}>恢复计时</button>`}</p>`}
    ${talk.ended && html`<p class="banner"><${Glyph} name="done"/>${endedWords(talk)}</p>`}
    ${one?.holder && !talk.mine && !talk.ended && html`<p class="banner"><${Glyph} name="lock"/>由 ${one.holder.name} 接待，您在旁看，只能写内部备注</p>`}
    ${one?.left_message && one.due_at && html`<p class="banner"><${Glyph} name="inbox"/>客户留言，已答应 ${momentOf(one.due_at)} 前回复</p>`}
  </div>`;
}

const partWords = (part) => (typeof part === "string" ? part : part.label && filled(part.value) ? part.label + "：" + part.value : part.text || part.label || part.title || "");
const listOf = (value) => (Array.isArray(value) ? value : value ? [value] : []).map(partWords).filter(Boolean);

/* What was understood, checked and is still missing, so that nobody asks the customer again. */
function Summary({ talk }) {
  const summary = talk.summary || {};
  const wish = [...listOf(summary.wish), ...listOf(summary.understood).filter((line) => line !== summary.wish)];
  const rows = [["想办什么", wish], ["已核对", listOf(summary.checked)], ["还缺", listOf(summary.missing)]].filter(([, lines]) => lines.length);
  const [shut, setShut] = useState(false);
  if (!rows.length) return null;
  return html`<section class="summary" aria-label="接入摘要">
    <button type="button" class="summary-head" aria-expanded=${String(!shut)} onclick=${() => setShut(!shut)}><${Glyph} name="chevron"/>接入摘要${shut && html`<span>${brief(wish.join("；"), 60)}</span>`}</button>
    ${!shut && html`<dl>${rows.map(([name, lines]) => html`<div class=${name === "还缺" ? "missing" : ""}><dt>${name}</dt><dd>${lines.map((line, place) => html`${place > 0 && "；"}${line}`)}</dd></div>`)}</dl>`}
  </section>`;
}
