/* What the stream tells, and what follows from it. Mixed into the desk. */
Object.assign(Desk.prototype, {
  frame(frame) {
    if (frame.kind === "event") {
      this.seq = Math.max(this.seq, frame.seq);
      this.event(frame.event);
    } else if (frame.kind === "pong") this.seq = Math.max(this.seq, frame.seq || 0);
    else if (frame.kind === "presence") this.withTalk(frame, (talk) => (talk.viewers = frame.viewers));
    else if (frame.kind === "typing") this.withTalk(frame, (talk) => talk.heardTyping(frame));
    else if (frame.kind === "signed_out") this.signedOut();
    this.changed();
  },

  withTalk(frame, work) {
    const talk = this.talks.get(frame.conversation_id);
    if (talk) work(talk);
  },

  event(event) {
    const id = event.conversation_id;
    const talk = this.talks.get(id);
    if (event.kind === "case") this.caseMoved(id, event.case, talk, event.data || {});
    else if (event.kind === "message") this.messagesCame(id, event.messages || [], talk);
    else if (event.kind === "agents") this.readOptionsSoon();
    else if (event.kind === "warning") this.warned(event);
    if (event.note) this.noteCame(event, talk);
    for (const listener of this.listeners) listener(event);
  },

  caseMoved(id, one, talk, data) {
    const before = this.inbox.find(id);
    if (one) this.inbox.put(one);
    else this.inbox.remove(id);
    if (talk && one) {
      talk.own = one;
      talk.load();
    }
    if (one) this.tellMove(id, before, one);
    else if (talk) this.leave(id, data);
    this.alarm();
    this.readSoon();
  },

  /* Who had a conversation, or looks at one that somebody took, is told who has it now. */
  tellMove(id, before, one) {
    const had = before?.holder?.id === this.me.id;
    const { holder } = one;
    if (holder && holder.id !== this.me.id && before?.holder?.id !== holder.id && (had || this.open === id)) toast(customerOf(one) + " 已由 " + holder.name + " 接待");
    else if (had && !holder && one.mode === "queued" && !this.talks.get(id)?.parted) toast(customerOf(one) + " 已回到排队", "bad");
  },

  messagesCame(id, messages, talk) {
    if (talk?.loaded && messages.length) {
      if (messages[0].seq > talk.lastSeq + 1) talk.sync();
      else talk.receive(messages, true);
    }
    const last = messages.filter((one) => one.author !== "system").pop();
    const customers = messages.filter((one) => one.author === "customer").length;
    this.inbox.patch(id, (one) => ({
      last_message: last ? { author: last.author, text: last.text, at: last.at } : one.last_message,
      unread: this.looksAt(id) ? 0 : (one.unread || 0) + customers,
    }));
    if (customers && this.inbox.mine.some((one) => one.conversation_id === id)) {
      if (!this.looksAt(id)) alerts.message();
      alerts.notice("客户有新消息", "点击打开会话", "message" + id, () => this.show(id));
    }
    this.look();
    this.alarm();
    if (this.inbox.find(id)?.holder) this.readSoon(); /* the clocks and the wait have changed with it */
  },

  noteCame(event, talk) {
    talk?.addNote(event.note);
    const { note } = event;
    if (note.agent?.id === this.me.id || (note.kind !== "whisper" && note.kind !== "help")) return;
    alerts.message();
    if (this.looksAt(event.conversation_id)) return;
    toast((note.agent?.name || "") + (note.kind === "help" ? " 求助：" : " 对您说：") + brief(note.text, 40), "info", { label: "打开", run: () => this.show(event.conversation_id) });
  },

  warned(event) {
    const one = this.inbox.find(event.conversation_id);
    alerts.warning();
    toast((one ? customerOf(one) + "：" : "") + warningWords(event.data || {}), "bad", { label: "打开", run: () => this.show(event.conversation_id) });
    this.readSoon();
  },

  /* Sound, notice and title follow the inbox. */
  alarm() {
    const { offers, unread } = this.inbox;
    const fresh = offers.filter((one) => !this.rung?.has(one.handoff_id));
    this.rung = new Set(offers.map((one) => one.handoff_id));
    alerts.ring(offers.length > 0);
    alerts.title({ offers: offers.length, unread });
    for (const one of fresh) {
      alerts.notice("新会话待接：" + skillWord(one.skill), reasonOf(one), "offer" + one.handoff_id, () => this.show(one.conversation_id));
      announce("新会话派给您：" + reasonOf(one) + "，按 Alt 加 A 接入");
    }
  },
});
