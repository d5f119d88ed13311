/* The middle column: one conversation, from its head down to the place to write. */
function Nothing({ desk }) {
  const { offers, queue, mine } = desk.inbox;
  return html`<main class="talk none" aria-label="会话"><h1 class="sr">坐席台</h1><${Empty} glyph="quote" title=${mine.length ? "选一个会话开始" : "现在没有接待中的会话"}>
    ${offers.length > 0 && html`<p>有 ${offers.length} 个会话派给您，按 <kbd>Alt</kbd> <kbd>A</kbd> 接入。</p>`}
    ${!offers.length && queue.length > 0 && html`<p>有 ${queue.length} 位客户在排队。</p>`}
    ${desk.me.status !== "online" && desk.me.capacity > 0 && html`<p class="warn">您的状态是“${STATUS[desk.me.status]}”，不会派新会话给您。</p>
      <button type="button" class="primary" onclick=${() => desk.setStatus("online")}>切换为在线</button>`}
    ${alerts.notices === "default" && html`<button type="button" onclick=${() => wantNotices(desk)}><${Glyph} name="bell"/>开启桌面通知</button>`}
    <button type="button" class="link" onclick=${() => desk.ask(KeysDialog)}>键盘操作说明（?）</button><//></main>`;
}

/* Where nothing can be written to the customer: why not, and what to do instead. */
function Closed({ desk, talk }) {
  const one = talk.case;
  if (!one || !talk.mine || one.mode !== "wrap_up") return null;
  return html`<div class="closed-line" role="status"><span>服务已结束，请填写小结；客户再来消息会自动恢复。</span>
    <button type="button" onclick=${() => desk.reopen(talk)}>恢复服务</button><button type="button" class="primary" onclick=${() => desk.wrapUp(talk.id)}>填写小结</button></div>`;
}

function Conversation({ desk, talk }) {
  if (talk.error && !talk.loaded) {
    return html`<main class="talk none" aria-label="会话"><${Failed} error=${talk.error} retry=${() => talk.load()}/></main>`;
  }
  return html`<main class="talk" aria-label=${"与 " + customerOf(talk.case || {}) + " 的会话"}>
    <${TalkHead} desk=${desk} talk=${talk}/>
    <${Banners} desk=${desk} talk=${talk}/>
    <${Summary} talk=${talk}/>
    <${TalkLog} key=${"log" + talk.id} desk=${desk} talk=${talk}/>
    <${Closed} desk=${desk} talk=${talk}/>
    ${talk.loaded && (talk.writable || talk.can.note !== false) && html`<${Composer} key=${"write" + talk.id} desk=${desk} talk=${talk}/>`}
  </main>`;
}

const Talks = ({ desk }) => html`<div class=${"columns" + (desk.talk ? "" : " two-columns")}>
  <${InboxColumn} desk=${desk}/>
  ${desk.talk ? html`<${Conversation} desk=${desk} talk=${desk.talk}/>` : html`<${Nothing} desk=${desk}/>`}
  ${desk.talk && html`<${CustomerColumn} key=${"side" + desk.talk.id} desk=${desk} talk=${desk.talk}/>`}
</div>`;
