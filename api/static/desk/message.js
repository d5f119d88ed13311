/* One message as an agent sees it: who, what, what the bot made of it, and whether it has arrived. */
const WHO = { bot: "电小服", system: "系统" };
const LONG_TEXT = 700;

function LongText({ text }) {
  const [whole, setWhole] = useState(false);
  const long = text.length > LONG_TEXT;
  return html`<div class="bubble"><${Words} text=${long && !whole ? text.slice(0, LONG_TEXT) + "…" : text}/>
    ${long && html`<button type="button" class="link" aria-expanded=${String(whole)} onclick=${() => setWhole(!whole)}>${whole ? "收起" : "展开全文（" + text.length + " 字）"}</button>`}</div>`;
}

const photoPath = (talk, id) => DESK + talk.path + "/uploads/" + encodeURIComponent(id);

function PhotoDialog({ close, src, alt }) {
  return html`<${Dialog} title="图片" close=${close} size="large"><img class="photo-large" src=${src} alt=${alt}/><//>`;
}

function DeskPhoto({ desk, talk, uploadId, author }) {
  const [gone, setGone] = useState(false);
  const src = photoPath(talk, uploadId);
  const alt = author === "customer" ? "客户发的图片" : "坐席发的图片";
  if (gone) return html`<div class="bubble gone">图片打不开</div>`;
  return html`<button type="button" class="photo-open" aria-label=${alt + "，点击放大"} onclick=${() => desk.ask(PhotoDialog, { src, alt })}>
    <img class="photo" src=${src} alt="" loading="lazy" onerror=${() => setGone(true)}/></button>`;
}

function MessageBody({ desk, talk, message, apart }) {
  if (message.type === "safety") {
    return html`<div class="safety"><p class="safety-title"><${WarningIcon}/>安全提示</p><p class="safety-text"><${Words} text=${message.text}/></p></div>`;
  }
  if (message.type === "image" && message.card?.upload_id && !apart) return html`<${DeskPhoto} desk=${desk} talk=${talk} uploadId=${message.card.upload_id} author=${message.author}/>`;
  if (message.card && CARDS.has(message.type)) return html`<${Card} message=${message}/>`;
  const clear = apart ? null : revealed.get(talk, "message:" + message.seq);
  return html`<${LongText} text=${clear ? clear.value : String(message.text ?? "")}/>`;
}

/* Masked words of the customer can be asked for like any other field. */
function MessageClear({ desk, talk, message }) {
  const field = "message:" + message.seq;
  const clear = revealed.get(talk, field);
  if (clear) return html`<${Countdown} until=${clear.expires_at}/><button type="button" class="link" onclick=${() => revealed.hide(talk, field)}>隐藏</button>`;
  if (message.author !== "customer" || !isMasked(message.text)) return null;
  return html`<button type="button" class="link" aria-label="显示这条消息的原文" onclick=${() => desk.ask(RevealDialog, { talk, field, label: "消息原文" })}>显示原文</button>`;
}

/* Whether what had to be sent over WeChat has come to the customer, or was read on a page before. */
const ARRIVALS = { arrived: "微信 · 已送达", waiting: "微信 · 待送达", unsure: "微信 · 可能未送达", failed: "微信 · 未送达", seen: "网页已看到" };
const Arrival = ({ message }) => (ARRIVALS[message.delivery] && message.author !== "customer" ? html`<span class=${"arrival is-" + message.delivery}>${ARRIVALS[message.delivery]}</span>` : null);

/* Redrawn only when something of its own has changed: a record may hold hundreds. */
class DeskMessage extends Component {
  shouldComponentUpdate(next) {
    return ["message", "first", "corrected", "clear", "mine", "who"].some((name) => next[name] !== this.props[name]);
  }

  render({ desk, talk, message, first, corrected, who, apart }) {
    const { author } = message;
    if (author === "system" && message.type !== "safety") {
      return html`<li class="line system"><span><${Words} text=${message.text}/></span><time datetime=${message.at}>${timeOf(message.at)}</time><${Arrival} message=${message}/></li>`;
    }
    return html`<li class=${"said " + author + (first ? " first" : "")} data-seq=${message.seq}>
      ${first && html`<p class="said-who">${author === "bot" && html`<${Mark}/>`}<b>${who}</b>${author === "customer" && viaOf(talk, message) && html`<span class="via">${viaOf(talk, message)}</span>`}<time datetime=${message.at}>${timeOf(message.at)}</time></p>`}
      <div class="said-what"><${MessageBody} desk=${desk} talk=${talk} message=${message} apart=${apart}/></div>
      ${message.buttons?.length > 0 && html`<p class="offered">给了选项：${message.buttons.map((one) => html`<span>${one.title}</span>`)}</p>`}
      ${message.delivery && author !== "customer" && html`<p class="said-more"><${Arrival} message=${message}/></p>`}
      ${author === "customer" && !apart && html`<p class="said-more"><${Understood} desk=${desk} talk=${talk} message=${message} corrected=${corrected}/><${MessageClear} desk=${desk} talk=${talk} message=${message}/></p>`}
    </li>`;
  }
}

const NoteLine = ({ desk, note }) => html`
  <li class=${"line internal " + note.kind}>
    <p class="said-who"><${Glyph} name=${{ note: "note", transfer: "transfer", help: "help", whisper: "ear" }[note.kind] || "note"}/><b>${NOTES[note.kind] || "内部备注"}</b>
      <span>${note.agent?.name || ""}${note.to_agent ? " → " + desk.agentName(note.to_agent) : ""}</span><span class="private">客户看不到</span><time datetime=${note.at}>${timeOf(note.at)}</time></p>
    <p class="note-text">${note.text}</p>
  </li>`;

/* What is on its way, or was refused. */
const Outgoing = ({ desk, talk, entry }) => html`
  <li class=${"said agent first " + (entry.error ? "refused" : "pending")}>
    <div class="said-what">${entry.body.upload_id ? html`<${DeskPhoto} desk=${desk} talk=${talk} uploadId=${entry.body.upload_id} author="agent"/>` : html`<${LongText} text=${entry.shown}/>`}</div>
    ${entry.error
      ? html`<p class="said-more" role="alert"><span class="failure">发送失败</span><span>${entry.error.code === "not_holder" && entry.error.holder ? "会话已由 " + entry.error.holder + " 接待" : entry.error.detail}</span>
          <button type="button" class="link" onclick=${() => desk.sends.retry(entry.client_id)}>重试</button>
          ${entry.body.text && html`<button type="button" class="link" onclick=${() => desk.takeBack(entry)}>放回输入框</button>`}
          <button type="button" class="link" onclick=${() => desk.sends.drop(entry.client_id)}>删除</button></p>`
      : html`<p class="said-more">${desk.link === "online" ? "发送中…" : "等待网络恢复后自动发送"}</p>`}
  </li>`;
