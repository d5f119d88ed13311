/* What is written down at the end: what it was about, what came of it, and what the bot has to know from now on. */
Object.assign(Desk.prototype, {
  wrapSlot(id) {
    return "desk:" + this.me.login + ":wrap:" + id;
  },
});

/* `typed`: what stands in the three fields and has not been added to its list. */
const emptyWrap = () => ({ category: "", outcome: "", done: [], open: [], promised: [], typed: {} });

/* 2026-11-22T18:00 as a person of the zone enters it, to an instant. */
const instantOf = (local) => (local ? local + (local.length === 16 ? ":00" : "") + "+08:00" : null);

/* What has been written down, with what was typed and not added: nobody presses 添加 for the last line. */
function noteOf({ done, open, promised, typed }) {
  const text = (name) => (typed[name] || "").trim();
  const last = (name) => (text(name) ? [text(name)] : []);
  const promise = text("promised") ? [{ text: text("promised"), due_at: instantOf(typed.due) }] : [];
  return { done: [...done, ...last("done")], open: [...open, ...last("open")], promised: [...promised, ...promise] };
}

function Promised({ values, set, text, setText, due, setDue }) {
  const add = () => {
    if (!text.trim()) return;
    set([...values, { text: text.trim(), due_at: instantOf(due) }]);
    setText("");
    setDue("");
  };
  return html`<fieldset class="promised"><legend>已答应客户的事（电小服会记得）</legend>
    ${values.length > 0 && html`<ul class="lines">${values.map(
      (one, place) => html`<li><span>${one.text}${one.due_at && html`<b class="num">　${momentOf(one.due_at)} 前</b>`}</span>
        <button type="button" class="bare" aria-label=${"去掉：" + one.text} onclick=${() => set(values.filter((_, i) => i !== place))}><${CloseIcon}/></button></li>`,
    )}</ul>`}
    <div class="adding"><input aria-label="答应的事" maxlength="200" placeholder="如：电费复核结果短信告知" value=${text} oninput=${(e) => setText(e.target.value)}/>
      <input type="datetime-local" aria-label="最晚什么时候" value=${due} oninput=${(e) => setDue(e.target.value)}/>
      <button type="button" onclick=${add}><${Glyph} name="plus"/>添加</button></div></fieldset>`;
}

const SMALL_TALK = /^(greet|thank\w*|goodbye|affirm|deny|inform|cancel|repeat|request_human|ask_capabilities|bot_challenge|chitchat|out_of_scope|nlu_fallback)$/;

/* The intents of the conversation, corrected ones as corrected: what the note is about. */
function intentsOf(desk, talk) {
  const { corrected } = talk;
  const known = new Set((desk.options?.intents || []).map((one) => one.name));
  const all = talk.messages.filter((one) => one.author === "customer").map((one) => corrected[one.seq] || one.understood?.intent);
  return [...new Set(all.flatMap((name) => (name || "").split("+")))].filter((name) => known.has(name) && !SMALL_TALK.test(name)).slice(0, 20);
}

function WrapUpDialog({ desk, close, talk }) {
  const slot = desk.wrapSlot(talk.id);
  const [form, setForm] = useState(() => ({ ...emptyWrap(), ...store.read(slot, {}) }));
  const [about, setAbout] = useState(() => intentsOf(desk, talk));
  const doing = useDoing(close);
  const put = (name) => (value) =>
    setForm((before) => {
      const next = { ...before, [name]: value };
      store.write(slot, next);
      return next;
    });
  const typed = (name) => form.typed[name] || "";
  const type = (name) => (text) =>
    setForm((before) => {
      const next = { ...before, typed: { ...before.typed, [name]: text } };
      store.write(slot, next);
      return next;
    });
  const line = (name) => ({ values: form[name], set: put(name), text: typed(name), setText: type(name) });
  const { options } = desk;
  const choices = (list) => (list || []).map((one) => ({ value: one.key, label: one.label }));
  const corrected = Object.entries(talk.corrected);
  const end = (then) => {
    if (!form.category) return doing.say("请选择业务分类");
    if (!form.outcome) return doing.say("请选择处理结果");
    return doing.run(async () => {
      const body = { category: form.category, outcome: form.outcome, corrected: talk.corrected, note: noteOf(form), intents: about, then };
      await desk.api.post(talk.path + "/wrap_up", body);
      for (const key of [slot, talk.correctedSlot, desk.draftSlot(talk.id)]) store.remove(key);
      desk.inbox.remove(talk.id);
      toast(then === "bot" ? "已交还电小服" : "对话已结束", "good");
      talk.parted = true;
      desk.leave(talk.id);
      desk.readSoon(0);
    });
  };
  const foot = html`<${DoingError} doing=${doing}/>
    <button type="button" onclick=${() => (close(), desk.reopen(talk))}><${Glyph} name="back"/>恢复服务</button><span class="gap"></span>
    <button type="button" aria-disabled=${String(doing.busy)} onclick=${() => end("close")}>结束对话</button>
    <button type="button" class="primary" aria-disabled=${String(doing.busy)} onclick=${() => end("bot")}>交还电小服</button>`;
  return html`<${Dialog} title=${"服务小结：" + customerOf(talk.case || {})} close=${close} size="large" foot=${foot}>
    <div class="two"><${SelectField} label="业务分类" value=${form.category} set=${put("category")} options=${choices(options?.categories)} required/>
      <${Choices} label="处理结果" name="outcome" value=${form.outcome} set=${put("outcome")} options=${choices(options?.outcomes)} required/></div>
    <div class="two"><${Lines} label="已办" placeholder="如：已核对 10 月账单，读数无误" ...${line("done")}/>
      <${Lines} label="未办" placeholder="如：等抄表员复核现场读数" ...${line("open")}/></div>
    <${Promised} ...${line("promised")} due=${typed("due")} setDue=${type("due")}/>
    ${about.length > 0 && html`<div class="about"><p>这次谈到</p>${about.map((name) => html`<span class="tag removable">${desk.intentWord(name)}<button type="button" class="bare" aria-label=${"去掉：" + desk.intentWord(name)} onclick=${() => setAbout(about.filter((one) => one !== name))}><${CloseIcon}/></button></span>`)}</div>`}
    ${corrected.length > 0 && html`<div class="about"><p>更正的理解</p><ul class="lines">${corrected.map(([seq, name]) => html`<li><span>“${brief(talk.bySeq.get(Number(seq))?.text, 40)}” → <b>${desk.intentWord(name)}</b></span>
      <button type="button" class="bare" aria-label="撤回更正" onclick=${() => talk.correct(Number(seq), null)}><${CloseIcon}/></button></li>`)}</ul></div>`}
  <//>`;
}
