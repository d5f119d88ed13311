/* Personal data comes masked. One field is shown in clear for a reason that is logged, and hides itself again. */
const revealed = {
  values: new Map(),

  key: (talk, field) => talk.id + "|" + field,

  get(talk, field) {
    const found = this.values.get(this.key(talk, field));
    return found && new Date(found.expires_at) > serverNow() ? found : null;
  },

  put(talk, field, value) {
    const key = this.key(talk, field);
    this.values.set(key, value);
    setTimeout(() => {
      this.values.delete(key);
      talk.desk.changed();
    }, Math.max(0, new Date(value.expires_at) - serverNow()));
  },

  hide(talk, field) {
    this.values.delete(this.key(talk, field));
    talk.desk.changed();
  },
};

function RevealDialog({ desk, close, talk, field, label }) {
  const [reason, setReason] = useState("");
  const [more, setMore] = useState("");
  const doing = useDoing(close);
  const reasons = (desk.options?.reveal_reasons || []).map((one) => (typeof one === "string" ? { value: one, label: one } : { value: one.label, label: one.label }));
  const run = () => {
    const words = [reason, more.trim()].filter(Boolean).join("：");
    if (words.length < 4) return doing.say(reason ? "请再补充几个字" : "请选择原因");
    return doing.run(async () => {
      revealed.put(talk, field, await desk.api.post(talk.path + "/reveal", { field, reason: words }));
      desk.changed();
    });
  };
  return html`<${Dialog} title=${"显示" + label} close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label="显示 5 分钟" run=${run} close=${close}/>`}>
    <p class="hint">只显示这一项，到时自动隐藏。谁、何时、为什么查看，都会记入审计日志。</p>
    <${Choices} label="为什么要看" name="reason" value=${reason} set=${setReason} options=${reasons} required/>
    <${TextField} label="补充说明" value=${more} set=${setMore} max="200"/>
  <//>`;
}

function Countdown({ until }) {
  const left = Math.max(0, (new Date(until) - useTick()) / 1000);
  return html`<span class="num hides">${waitWords(left)} 后隐藏</span>`;
}

/* A value as the server gave it, with the way to see it in clear where it is masked. */
function Masked({ desk, talk, field, label, value }) {
  if (!filled(value)) return html`<span class="none">无</span>`;
  const clear = field && revealed.get(talk, field);
  if (clear) {
    return html`<span class="masked clear"><span>${clear.value}</span>
      <span class="masked-tools"><${Countdown} until=${clear.expires_at}/>
      <button type="button" class="link" aria-label=${"隐藏" + label} onclick=${() => revealed.hide(talk, field)}>隐藏</button></span></span>`;
  }
  return html`<span class="masked"><span>${value}</span>
    ${field && isMasked(value) && html`<button type="button" class="link" aria-label=${"显示" + label} onclick=${() => desk.ask(RevealDialog, { talk, field, label })}>显示</button>`}</span>`;
}
