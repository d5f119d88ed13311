/* What is done with a case: taken, passed on, paused, finished. Mixed into the desk. */
Object.assign(Desk.prototype, {
  flagWord(flag) {
    const key = typeof flag === "string" ? flag : flag.key;
    return (this.options?.flags || []).find((one) => one.key === key)?.label || flagWord(flag);
  },

  pauseWord(key) {
    return (this.options?.pause_reasons || []).find((one) => one.key === key)?.label || key;
  },

  intentWord(name) {
    return (this.options?.intents || []).find((one) => one.name === name)?.label || name;
  },

  agentName(who) {
    const id = typeof who === "object" ? who.id : who;
    return who?.name || (this.options?.agents || []).find((one) => one.id === id)?.name || "其他坐席";
  },

  /* Somebody else may be faster; then it is said who. */
  async take(one, how) {
    try {
      const taken = await this.api.post("/cases/" + one.handoff_id + "/" + how);
      if (taken) this.inbox.put(taken);
      this.show(one.conversation_id);
      this.talkOf(one.conversation_id)?.load();
    } catch (error) {
      if (error.code === "already_taken") {
        const { holder } = error.document;
        toast(holder?.name ? "已被 " + holder.name + " 接走了" : error.message, "bad");
        this.inbox.remove(one.conversation_id);
      } else failed(error);
    }
    this.alarm();
    this.readSoon(0);
  },

  accept(one) {
    return this.take(one, "accept");
  },

  claim(one) {
    return this.take(one, "claim");
  },

  async decline(one) {
    this.inbox.remove(one.conversation_id);
    this.alarm();
    this.changed();
    await this.api.post("/cases/" + one.handoff_id + "/decline").catch(failed);
    this.readSoon(0);
  },

  acceptFirst() {
    if (this.inbox.offers.length) this.accept(this.inbox.offers[0]);
    else toast("现在没有派给您的会话");
  },

  /* A step that answers with the case, or with nothing. */
  async step(talk, name, body) {
    talk.parted = name === "transfer";
    const answer = await this.api.post(talk.path + "/" + name, body);
    if (answer?.handoff_id) this.inbox.put(answer);
    await talk.load();
    this.readSoon(0);
    return answer;
  },

  /* Danger is not ended by a slip of the hand. */
  finish(talk) {
    if (dangerous(talk.case)) this.ask(DangerDialog, { talk });
    else return this.endService(talk);
    return null;
  },

  async endService(talk) {
    try {
      await this.step(talk, "finish");
      this.wrapUp(talk.id);
    } catch (error) {
      failed(error);
    }
  },

  wrapUp(id) {
    if (this.open !== id) this.show(id);
    this.ask(WrapUpDialog, { talk: this.talkOf(id) });
  },

  async reopen(talk) {
    try {
      await this.step(talk, "reopen");
      toast("已恢复人工服务", "good");
    } catch (error) {
      failed(error);
    }
  },

  async resume(talk) {
    try {
      await this.step(talk, "resume");
    } catch (error) {
      failed(error);
    }
  },

  async takeOver(talk) {
    try {
      await this.step(talk, "take_over");
      toast("会话已由您接管", "good");
    } catch (error) {
      failed(error);
    }
  },
});

const dangerous = (one) => one?.priority === 0 || (one?.customer?.flags || []).some((flag) => (flag.key || flag) === "danger");

const DangerDialog = ({ desk, close, talk }) => html`<${Dialog} title="有危险的会话，确定结束？" close=${close} size="small"
    foot=${html`<button type="button" data-first onclick=${close}>继续服务</button><button type="button" class="danger" onclick=${() => (close(), desk.endService(talk))}>确定结束</button>`}>
  <p>结束前请确认：客户已远离危险，抢修已派出，客户知道下一步等谁联系。</p>
<//>`;

function PauseDialog({ desk, close, talk }) {
  const [reason, setReason] = useState("");
  const doing = useDoing(close);
  const run = () => (reason ? doing.run(() => desk.step(talk, "pause", { reason })) : doing.say("请选择暂停的原因"));
  const options = (desk.options?.pause_reasons || []).map((one) => ({ value: one.key, label: one.label }));
  return html`<${Dialog} title="暂停办结计时" close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label="暂停" run=${run} close=${close}/>`}>
    <p class="hint">只在等客户或等现场时暂停；首次响应计时不受影响。</p>
    <${Choices} label="原因" name="pause" value=${reason} set=${setReason} options=${options} required/>
  <//>`;
}

/* One text to somebody of the desk: a call for help to the supervisor, a whisper to the agent. */
function LineDialog({ desk, close, talk, title, step, label, hint }) {
  const [text, setText] = useState("");
  const doing = useDoing(close);
  const run = () =>
    text.trim()
      ? doing.run(async () => {
          const note = await desk.api.post(talk.path + "/" + step, { text: text.trim() });
          if (note?.id) talk.addNote(note);
          toast("已发出", "good");
        })
      : doing.say("请写一句话");
  return html`<${Dialog} title=${title} close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label=${label} run=${run} close=${close}/>`}>
    <p class="hint">${hint}</p>
    <${TextField} label="内容" lines="4" max="2000" value=${text} set=${setText} required/>
  <//>`;
}

const askHelp = (desk, talk) => desk.ask(LineDialog, { talk, title: "求助班长", step: "help", label: "发给班长", hint: "班长会看到这段话和整个会话，客户看不到。" });
const whisperTo = (desk, talk) => desk.ask(LineDialog, { talk, title: "耳语", step: "whisper", label: "发给坐席", hint: "只有接待的坐席能看到，客户看不到。" });

/* The conversation has gone to somebody else, and with it the chance to send what was written. */
const LostDialog = ({ close, who, name, texts }) => html`<${Dialog} title=${who ? "会话已由 " + who + " 接待" : "会话已不在您这里"} close=${close} size="small"
    foot=${html`<button type="button" class="primary" onclick=${close}>知道了</button>`}>
  <p>您写给 ${name} 的下面这些话没有发给客户，需要的话请复制给现在接待的同事：</p>
  ${texts.map((text) => html`<blockquote class="quoted">${text}<${CopyButton} text=${text}/></blockquote>`)}
<//>`;

/* To a colleague or to a skill, never without a word about what is to be done. */
function TransferDialog({ desk, close, talk, reassign }) {
  const [to, setTo] = useState("");
  const [note, setNote] = useState("");
  const doing = useDoing(close);
  const skill = talk.case?.skill;
  const holder = talk.case?.holder?.id;
  const all = (desk.options?.agents || []).filter((one) => one.id !== (reassign ? holder : desk.me.id) && (reassign || one.id !== holder));
  const rank = (one) => (one.status === "online" && one.present !== false ? 0 : 10) + ((one.skills || []).includes(skill) ? 0 : 1);
  /* Who takes no conversations, or has no skill for them, cannot be passed one. */
  const agents = all.filter((one) => one.capacity > 0 && one.skills?.length).sort((a, b) => rank(a) - rank(b) || (a.load ?? 0) - (b.load ?? 0));
  const agentOption = (one) => ({
    value: "a" + one.id, label: one.name, off: one.status === "offline" || one.present === false,
    note: [STATUS[one.present === false ? "offline" : one.status], (one.skills || []).map(skillWord).join("、"), (one.load ?? 0) + (one.capacity ? "/" + one.capacity : "") + " 个会话"].filter(Boolean).join(" · "),
  });
  const skills = (desk.options?.skills || []).map((one) => ({ value: "s" + one.key, label: one.label + "队列" }));
  const run = () => {
    if (!to) return doing.say("请选择转给谁");
    if (!note.trim()) return doing.say("请写明转接原因和已做的事，接手的人要看");
    const target = to[0] === "a" ? { agent_id: Number(to.slice(1)) } : { skill: to.slice(1) };
    return doing.run(async () => {
      await desk.step(talk, reassign ? "reassign" : "transfer", { ...target, note: note.trim() });
      toast("已转出", "good");
    });
  };
  return html`<${Dialog} title=${reassign ? "改派会话" : "转接会话"} close=${close} foot=${html`<${DialogButtons} doing=${doing} label=${reassign ? "改派" : "转接"} run=${run} close=${close}/>`}>
    ${!reassign && html`<${Choices} label="转到技能组" name="to" value=${to} set=${setTo} options=${skills}/>`}
    <div class="scroll-choices"><${Choices} label=${reassign ? "改派给" : "或转给同事"} name="to" value=${to} set=${setTo} options=${agents.map(agentOption)}/></div>
    <${TextField} label="说明（接手的人先看到）" lines="3" max="2000" value=${note} set=${setNote} required placeholder="客户要什么、已经做了什么、还差什么"/>
  <//>`;
}
