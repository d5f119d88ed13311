/* What the bot took a message for, and the way to say what it really was. */
function Understood({ desk, talk, message, corrected }) {
  const { understood } = message;
  if (!understood && !corrected) return null;
  const label = corrected ? desk.intentWord(corrected) : understood.label || desk.intentWord(understood.intent);
  const sure = understood?.confidence;
  const text = html`${corrected ? html`<${Glyph} name="done"/>更正为 ${label}` : label}${!corrected && typeof sure === "number" && html` <span class="num">${Math.round(sure * 100)}%</span>`}`;
  const kind = "intent" + (corrected ? " corrected" : typeof sure === "number" && sure < 0.7 ? " unsure" : "");
  if (!talk.mine) return html`<span class=${kind} title="电小服的理解">${text}</span>`;
  return html`<button type="button" class=${kind} title="电小服的理解，点击更正" onclick=${() => desk.ask(IntentDialog, { talk, message })}>
    <span class="sr">电小服理解为：</span>${text}<${Glyph} name="edit"/></button>`;
}

function IntentDialog({ desk, close, talk, message }) {
  const [query, setQuery] = useState("");
  const present = talk.corrected[message.seq] || message.understood?.intent;
  const words = query.trim().toLowerCase();
  const found = (desk.options?.intents || []).filter((one) => !words || one.label.toLowerCase().includes(words) || one.name.includes(words));
  const take = (name) => {
    talk.correct(message.seq, name);
    close();
  };
  return html`<${Dialog} title="这句话是什么意思" close=${close} size="small">
    <blockquote class="quoted">${brief(message.text, 120)}</blockquote>
    <p class="hint">更正会随小结交给训练，让电小服下次听得懂。</p>
    <${TextField} label="查找意图" value=${query} set=${setQuery} placeholder="输入几个字"/>
    <ul class="intent-list">${found.slice(0, 80).map(
      (one) => html`<li><button type="button" aria-pressed=${String(one.name === present)} class=${one.name === present ? "chosen" : ""} onclick=${() => take(one.name)}>${one.label}</button></li>`,
    )}</ul>
    ${!found.length && html`<p class="nothing">没有这样的意图</p>`}
    ${talk.corrected[message.seq] && html`<button type="button" class="link" onclick=${() => take(null)}>撤回更正</button>`}
  <//>`;
}
