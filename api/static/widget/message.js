/* One message of the record: who said it, what it says, what may be pressed, and how far it has got. */
const AUTHORS = { bot: "智能客服", agent: "人工客服" };
const authorOf = (item) => AUTHORS[item.author] + (item.agent ? " " + item.agent.name : "");

const SafetyMessage = ({ item }) => html`
  <div class="safety" role=${item.live ? "alert" : null}>
    <p class="safety-title"><${WarningIcon}/>安全提示</p>
    <p class="safety-text"><${Words} text=${item.text}/></p>
  </div>`;

/* Pressed or outdated buttons stay readable and keep the focus, they only do nothing any more. */
function Buttons({ item, choice, onPress }) {
  const off = Boolean(choice || item.over);
  return html`<div class="buttons" role="group" aria-label="可选操作">
    ${item.buttons.map(
      (button) => html`<button
        type="button"
        class=${choice === button.id ? "chosen" : ""}
        aria-disabled=${String(off)}
        onclick=${() => !off && onPress(item, button)}
      >${button.title}</button>`,
    )}
  </div>`;
}

function Content({ item, big, photos }) {
  if (item.type === "safety") return html`<${SafetyMessage} item=${item}/>`;
  if (item.type === "image" && item.card) return html`<${PhotoMessage} item=${item} photos=${photos}/>`;
  if (item.card) return html`<${Card} message=${item} big=${big}/>`;
  return html`<div class="bubble"><${Words} text=${item.text}/></div>`;
}

/* Redrawn only when something of its own has changed: a record may hold hundreds. */
class Message extends Component {
  shouldComponentUpdate(next) {
    return Object.keys(next).some((name) => next[name] !== this.props[name]);
  }

  render({ item, big, first, last, choice, onPress, photos }) {
    if (item.author === "system" && item.type !== "safety") {
      return html`<li class=${"notice " + (item.mark || (item.type === "survey" ? "survey" : ""))} data-seq=${item.over ? null : item.seq}>
        <span><${Words} text=${item.text}/></span>
        ${item.buttons.length > 0 && html`<${Buttons} item=${item} choice=${choice} onPress=${onPress}/>`}
      </li>`;
    }
    const mine = item.author === "customer";
    return html`<li class=${"message " + item.author + (first ? " first" : "")} data-seq=${item.over ? null : item.seq}>
      ${first && AUTHORS[item.author] && html`<p class="author">${authorOf(item)}</p>`}
      ${mine && html`<span class="sr">我说：</span>`}
      <${Content} item=${item} big=${big} photos=${photos}/>
      ${item.buttons.length > 0 && html`<${Buttons} item=${item} choice=${choice} onPress=${onPress}/>`}
      ${last && html`<p class="meta"><time datetime=${item.at}>${timeOf(item.at)}</time>${mine && " 已送达"}</p>`}
    </li>`;
  }
}

/* What has not arrived yet, or was refused. */
const Waiting = ({ entry, photos, onRetry, onDrop }) => html`
  <li class=${"message customer first " + (entry.error ? "refused" : "pending")}>
    <span class="sr">我说：</span>
    ${entry.upload_id
      ? html`<${PhotoMessage} item=${{ author: "customer", text: entry.text, card: entry }} photos=${photos}/>`
      : html`<div class="bubble"><${Words} text=${entry.text}/></div>`}
    ${entry.error
      ? html`<p class="meta">
          <span class="failure">未送达</span>${entry.error.detail && html`<span>${entry.error.detail}</span>`}
          <button type="button" class="quiet" onclick=${() => onRetry(entry.client_id)}>重试</button>
          <button type="button" class="quiet" onclick=${() => onDrop(entry.client_id)}>删除</button>
        </p>`
      : html`<p class="meta">发送中…</p>`}
  </li>`;
