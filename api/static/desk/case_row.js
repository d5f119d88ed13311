/* One case in a list: who, why, how urgent, how long; redrawn only when something of its own has changed. */
const Flags = ({ desk, flags }) => (flags || []).map((flag) => html`<span class=${"tag flag" + (flag === "danger" ? " danger" : "")}>${desk.flagWord(flag)}</span>`);

const Priority = ({ one }) => {
  const word = priorityOf(one);
  return word && word !== skillWord(one.skill) && html`<span class=${"tag priority p" + one.priority}>${word}</span>`;
};

/* Over which channel the customer writes now; the words are for who cannot see the drawing, and for the pointer. */
const VIA_GLYPHS = { wechat: "wechat", h5: "wechat", app: "app", web: "web" };
const Via = ({ channel }) => VIA_GLYPHS[channel] && html`<span class=${"case-via " + VIA_GLYPHS[channel]} title=${channelWord(channel)}><${Glyph} name=${VIA_GLYPHS[channel]}/><span class="sr">来自${channelWord(channel)}</span></span>`;

const AUTHOR_WORDS = { customer: "", agent: "我方：", bot: "电小服：", system: "" };

class CaseRow extends Component {
  shouldComponentUpdate(next) {
    return ["one", "open", "place", "list"].some((name) => next[name] !== this.props[name]);
  }

  render({ desk, one, open, list, place }) {
    const unread = list === "mine" || list === "messages" ? one.unread : 0;
    return html`<li class=${"case " + list + (open ? " open" : "") + (unread ? " unread" : "") + (one.priority === 0 ? " urgent" : "")}>
      <button type="button" class="case-button" aria-current=${open ? "true" : null} onclick=${() => desk.show(one.conversation_id)}>
        <span class="case-top">
          <${Via} channel=${one.channel}/><span class="case-name">${customerOf(one)}</span>
          <span class="tag skill">${skillWord(one.skill)}</span><${Priority} one=${one}/>
          <span class="case-when"><${CaseClock} one=${one} list=${list}/></span>
        </span>
        <span class="case-why"><span>${reasonOf(one)}</span>${one.repeat > 0 && html`<span class="tag repeat">72小时内第${one.repeat + 1}次</span>`}<${Flags} desk=${desk} flags=${(one.customer?.flags || []).filter((flag) => flag !== "danger" || one.priority !== 0)}/></span>
        ${one.last_message && one.last_message.author !== "system" && html`<span class="case-last">${(AUTHOR_WORDS[one.last_message.author] ?? "") + brief(one.last_message.text, 48)}</span>`}
        ${(one.paused_reason || list === "mine") && html`<span class="case-clocks">${one.paused_reason && html`<span class="clock paused"><${Glyph} name="pause"/>${desk.pauseWord(one.paused_reason)}</span>`}
          <${ClockBadge} name="first_response" clock=${one.clocks?.first_response} small/>
          ${!one.paused_reason && html`<${ClockBadge} name="closure" clock=${one.clocks?.closure} small/>`}</span>`}
      </button>
      ${unread > 0 && html`<span class="badge num" aria-hidden="true">${unread > 99 ? "99+" : unread}</span><span class="sr">${unread}条未读</span>`}
      ${list === "mine" && place < 9 && html`<kbd class="case-key" aria-hidden="true">${place + 1}</kbd>`}
      <${CaseDeeds} desk=${desk} one=${one} list=${list} place=${place}/>
    </li>`;
  }
}

function CaseClock({ one, list }) {
  if (list === "offers") return null;
  if (list === "messages" && one.due_at) return html`<span class="by">${momentOf(one.due_at)} 前回复</span>`;
  if (list === "mine") return one.waiting_since && html`<${Waited} since=${one.waiting_since} label="客户已等"/>`;
  return html`<${Waited} since=${list === "queue" ? one.requested_at : one.last_message?.at || one.requested_at}/>`;
}

/* What can be done with a case right in the list. */
function CaseDeeds({ desk, one, list, place }) {
  if (list === "offers") {
    return html`<div class="deeds offer">
      <${Ring} until=${one.offer_expires_at || one.due_at}/>
      <button type="button" class="primary" onclick=${() => desk.accept(one)}>接入${place === 0 && html`<kbd>Alt A</kbd>`}</button>
      <button type="button" onclick=${() => desk.decline(one)}>不接</button></div>`;
  }
  if (list === "queue" && one.offered_to) return html`<div class="deeds quiet-line">正派给 ${desk.agentName(one.offered_to)}</div>`;
  if (list === "queue") return html`<div class="deeds side-deed"><button type="button" aria-label=${"领取：" + customerOf(one)} onclick=${() => desk.claim(one)}>领取</button></div>`;
  if (list === "messages" && !one.holder) return html`<div class="deeds side-deed"><button type="button" aria-label=${"处理留言：" + customerOf(one)} onclick=${() => desk.claim(one)}>处理</button></div>`;
  if (list === "wrap_up") return html`<div class="deeds"><button type="button" class="primary" onclick=${() => desk.wrapUp(one.conversation_id)}>填写小结</button></div>`;
  return null;
}
