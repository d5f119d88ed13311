/* One conversation as the desk knows it: messages by number, notes in place, who looks on. */
const TYPING_LASTS_MS = 7000;

class Talk {
  constructor(desk, id) {
    Object.assign(this, { desk, id, messages: [], notes: [], summary: null, can: {}, viewers: [], history: [], channels: [], earlier: [], lastSeq: 0 });
    this.bySeq = new Map();
    this.loaded = false;
    this.error = null;
    this.typing = new Map();
  }

  get path() {
    return "/conversations/" + this.id;
  }

  get case() {
    return this.desk.inbox.find(this.id) || this.own;
  }

  get mine() {
    return Boolean(this.case && this.case.holder?.id === this.desk.me.id);
  }

  /* The case shown, once it has ended: by whom and when, as far as the server says. The bot may have the customer now. */
  get ended() {
    const id = this.case?.handoff_id;
    if (!id || id !== this.endedCase) return null;
    return this.history.find((one) => one.handoff_id === id) || {};
  }

  get writable() {
    return this.mine && this.case.mode === "human";
  }

  get mode() {
    return this.case?.mode || this.shownMode || "bot";
  }

  async load() {
    this.error = null;
    try {
      const found = await this.desk.api.get(this.path);
      this.own = found.case;
      this.endedCase = found.case && found.can?.note === false ? found.case.handoff_id : null;
      Object.assign(this, { summary: found.summary, can: found.can || {}, viewers: found.viewers || [], history: found.history || [], channels: found.channels || [], earlier: found.earlier || [] });
      this.notes = found.notes || [];
      if (found.case) this.desk.inbox.put(found.case);
      this.merge(found.messages);
      this.lastSeq = Math.max(this.lastSeq, found.last_seq || 0);
      this.shownMode = found.mode;
      this.loaded = true;
      if (this.desk.open === this.id) this.desk.tellView();
    } catch (error) {
      this.error = error;
      if (this.loaded && (error.status === 403 || error.status === 404)) this.desk.leave(this.id);
    }
    this.desk.look();
    this.desk.changed();
  }

  /* What came while the stream was away, page by page. */
  async sync() {
    if (!this.loaded) return this.load();
    if (this.syncing) return (this.again = true);
    this.syncing = true;
    try {
      let page;
      do {
        this.again = false;
        page = await this.desk.api.get(this.path + "/messages?after=" + this.lastSeq);
        this.shownMode = page.mode;
        const before = this.lastSeq;
        this.receive(page.messages, true);
        if (this.lastSeq === before && page.messages.length) break;
      } while (page.messages.length >= 100 || this.again);
    } catch (error) {
      /* The stream's next attempt asks again; and the event that says who has it now should come first. */
      if (error.status === 403) setTimeout(() => this.load(), 4000);
    } finally {
      this.syncing = false;
    }
    return null;
  }

  /* Opening brings the end of the log; what came before it is fetched when somebody wants to read it. */
  get hasEarlier() {
    return this.loaded && this.messages.length > 0 && this.messages[0].seq > 1;
  }

  async loadEarlier() {
    const from = Math.max(0, this.messages[0].seq - 1 - 400);
    try {
      this.merge((await this.desk.api.get(this.path + "/messages?after=" + from)).messages);
    } catch (error) {
      failed(error);
    }
    this.desk.changed();
  }

  /* Whether something still has to reach the customer, and since which message. */
  get underWay() {
    return this.messages.find((one) => one.delivery === "waiting");
  }

  async lookAfter() {
    const first = this.underWay;
    if (!first) return;
    try {
      this.merge((await this.desk.api.get(this.path + "/messages?after=" + (first.seq - 1))).messages);
      this.desk.changed();
    } catch {
      /* the next look comes */
    }
  }

  merge(messages) {
    for (const message of messages || []) {
      if (!Number.isInteger(message.seq)) continue;
      const known = this.bySeq.get(message.seq);
      if (known?.delivery && !message.delivery) message.delivery = known.delivery;
      if (known && JSON.stringify(known) === JSON.stringify(message)) continue;
      if (known) this.messages = this.messages.map((one) => (one === known ? message : one));
      else this.messages.push(message);
      this.bySeq.set(message.seq, message);
      if (message.author !== "bot") this.typing.delete(message.author);
    }
    this.messages.sort((a, b) => a.seq - b.seq);
  }

  /* `whole`: these are all messages after the last one known, so the mark may move. */
  receive(messages, whole) {
    if (!messages?.length) return;
    this.merge(messages);
    if (whole) for (const one of messages) this.lastSeq = Math.max(this.lastSeq, one.seq);
    this.desk.changed();
  }

  addNote(note) {
    if (!note || this.notes.some((one) => one.id === note.id)) return;
    this.notes = [...this.notes, note].sort((a, b) => a.id - b.id);
    this.desk.changed();
  }

  /* Colleagues are looked up among the viewers; the customer and the bot write by themselves. */
  heardTyping({ author, agent, on }) {
    if (author !== "agent") this.setTyping(author, on);
    else this.viewers = this.viewers.map((one) => (one.id === agent?.id ? { ...one, typing: on } : one));
  }

  setTyping(author, on) {
    clearTimeout(this.typing.get(author));
    this.typing.delete(author);
    if (on) this.typing.set(author, setTimeout(() => this.setTyping(author, false), TYPING_LASTS_MS));
    this.desk.changed();
  }

  get others() {
    return this.viewers.filter((one) => one.id !== this.desk.me.id);
  }

  get lastCustomer() {
    return [...this.messages].reverse().find((one) => one.author === "customer") || null;
  }

  get newest() {
    return this.messages.length ? this.messages[this.messages.length - 1].seq : 0;
  }

  /* Corrected intents wait for the wrap-up, also through a reload. */
  get correctedSlot() {
    return "desk:" + this.desk.me.login + ":corrected:" + this.id;
  }

  get corrected() {
    return store.read(this.correctedSlot, {});
  }

  correct(seq, intent) {
    const { [seq]: _, ...rest } = this.corrected;
    const next = intent && intent !== this.bySeq.get(seq)?.understood?.intent ? { ...rest, [seq]: intent } : rest;
    if (Object.keys(next).length) store.write(this.correctedSlot, next);
    else store.remove(this.correctedSlot);
    this.desk.changed();
  }

  /* Messages and notes as one list. */
  get rows() {
    const rows = [];
    const notes = [...this.notes];
    while (notes.length && notes[0].after_seq < (this.messages[0]?.seq ?? Infinity)) rows.push({ note: notes.shift() });
    for (const message of this.messages) {
      rows.push({ message });
      while (notes.length && notes[0].after_seq <= message.seq) rows.push({ note: notes.shift() });
    }
    return [...rows, ...notes.map((note) => ({ note }))];
  }
}
