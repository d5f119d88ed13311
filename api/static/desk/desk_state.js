/* What the console knows and does; components read it and call it, every change draws the page anew. */
const INBOX_READ_MS = 2000;
const DRAFT_MAX = 20000;

class Desk {
  constructor(changed) {
    this.changed = changed;
    toasts.changed = changed;
    this.api = new DeskApi({ signedOut: () => this.signedOut() });
    this.inbox = new Inbox(this);
    this.sends = new Sends(this);
    this.stream = new Stream(this);
    this.talks = new Map();
    this.listeners = new Set();
    Object.assign(this, { phase: "starting", link: "connecting", seq: 0, me: null, options: null, tab: "talks", open: null, dialog: null, ended: false });
    window.addEventListener("focus", () => this.look());
    document.addEventListener("visibilitychange", () => this.look());
  }

  get ready() {
    return this.phase === "ready";
  }

  now() {
    return new Date(serverNow());
  }

  async boot() {
    try {
      await this.enter(await this.api.get("/me"));
    } catch (error) {
      this.phase = error instanceof Problem && error.status === 401 ? "login" : "unreachable";
      this.changed();
      if (this.phase === "unreachable") setTimeout(() => this.boot(), 4000);
    }
  }

  /* Somebody has signed in. Another person's conversations are forgotten, one's own go on where they were. */
  async enter({ agent, csrf_token, must_change }) {
    this.api.csrf = csrf_token;
    if (this.me && this.me.id !== agent.id) {
      this.talks.clear();
      this.inbox.clear();
      Object.assign(this, { open: null, seq: 0, tab: "talks" });
    }
    this.me = agent;
    this.ended = false;
    if (must_change || agent.must_change) {
      this.phase = "must_change";
      return this.changed();
    }
    const [options] = await Promise.all([this.api.get("/options"), this.readInbox()]);
    this.options = options;
    for (const one of options.skills || []) SKILLS[one.key] = one.label;
    this.phase = "ready";
    this.stream.start();
    this.sends.flushAll();
    for (const talk of this.talks.values()) talk.sync();
    if (!this.openAsked()) this.openAgain();
    return this.changed();
  }

  signedOut() {
    if (this.phase === "login") return;
    this.ended = Boolean(this.me);
    revealed.values.clear();
    this.phase = "login";
    this.dialog = null;
    this.stream.stop();
    alerts.ring(false);
    alerts.title({ offers: 0, unread: 0 });
    this.changed();
  }

  /* What is written and not sent would stay behind on this computer: it is asked for, then wiped out. */
  askToLeave() {
    const kept = [...this.sends.entries.map((one) => one.shown), ...this.drafts().flatMap(({ reply, note }) => [reply, note])].filter(Boolean);
    if (kept.length) this.ask(LogoutDialog, { kept });
    else this.logout();
  }

  async logout() {
    this.wipe();
    await this.api.post("/logout").catch(() => null);
    this.signedOut();
    this.talks.clear();
    this.inbox.clear();
    Object.assign(this, { ended: false, me: null, open: null, seq: 0 });
    this.changed();
  }

  async setStatus(status) {
    const before = this.me;
    this.me = { ...this.me, status };
    this.changed();
    try {
      const answer = await this.api.post("/me/status", { status });
      if (answer?.status) this.me = { ...this.me, status: answer.status };
    } catch (error) {
      this.me = before;
      failed(error);
    }
    this.changed();
  }

  async readInbox() {
    const answer = await this.api.get("/inbox");
    if (answer.now) ticker.skew = new Date(answer.now) - Date.now();
    this.seq = Math.max(this.seq, answer.seq || 0);
    this.inbox.take(answer);
    this.alarm();
    this.changed();
  }

  /* Many events of one moment become one reading. */
  readSoon(after = 300) {
    if (this.reading) return;
    const wait = Math.max(after, (this.lastRead || 0) + INBOX_READ_MS - Date.now());
    this.reading = setTimeout(() => {
      this.reading = null;
      this.lastRead = Date.now();
      if (this.ready) this.readInbox().catch(() => null);
    }, wait);
  }

  refreshQuietly() {
    if (!this.ready) return;
    this.readSoon();
    this.talks.get(this.open)?.sync();
  }

  linked(state) {
    const back = state === "online" && this.link !== "online";
    this.link = state;
    if (back) {
      this.readSoon(0);
      for (const talk of this.talks.values()) talk.sync();
      this.sends.flushAll();
      this.tellView();
    }
    this.changed();
  }

  readOptionsSoon() {
    clearTimeout(this.optionsTimer);
    this.optionsTimer = setTimeout(async () => {
      if (this.ready) this.options = (await this.api.get("/options").catch(() => null)) || this.options;
      this.changed();
    }, 1500);
  }

  onEvent(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /* One dialog at a time: a component that gets { desk, close, ...more }. */
  ask(component, more = {}) {
    this.dialog = { component, more, key: newId() };
    this.changed();
  }

  shut() {
    this.dialog = null;
    this.changed();
  }

  talkOf(id) {
    return this.talks.get(id) || null;
  }

  get talk() {
    return this.talkOf(this.open);
  }

  looksAt(id) {
    return this.open === id && this.tab === "talks" && document.visibilityState === "visible" && document.hasFocus();
  }

  show(id) {
    this.tab = "talks";
    this.setOpen(id);
    if (!this.talks.has(id)) this.talks.set(id, new Talk(this, id));
    const talk = this.talks.get(id);
    if (talk.loaded) talk.sync();
    else talk.loading = talk.load();
    this.tellView();
    this.look();
    this.changed();
  }

  /* No longer ours to see: what was read of it goes too; what was not sent is shown once more, for it will not be. */
  leave(id, data = {}) {
    if (this.sends.busy.has(id)) return setTimeout(() => this.leave(id, data), 300); /* its refusal may say who has it */
    const talk = this.talks.get(id);
    const unsent = this.sends.of(id);
    const taker = data.agent && data.agent !== this.me.id ? this.agentName(data.agent) : unsent.find((one) => one.error?.holder)?.error.holder;
    for (const one of unsent) this.sends.drop(one.client_id);
    const name = customerOf(talk?.case || {});
    if (unsent.length) this.ask(LostDialog, { who: taker || "", texts: unsent.map((one) => one.shown), name });
    else if (talk && !talk.parted) toast(name + (taker ? " 已由 " + taker + " 接待" : " 的会话已结束，或由别人接手"));
    this.talks.delete(id);
    this.inbox.remove(id);
    if (this.open === id) {
      this.setOpen(null);
      this.tellView();
    }
    return this.changed();
  }

  /* Remembered per window and agent, so that a reload comes back to it. */
  get openSlot() {
    return "dianfu:desk:" + this.me?.login + ":open";
  }

  setOpen(id) {
    this.open = id;
    try {
      if (id) sessionStorage.setItem(this.openSlot, id);
      else sessionStorage.removeItem(this.openSlot);
    } catch {
      /* where nothing may be stored, a reload begins with the list */
    }
  }

  /* A link of another page: /desk#/conversations/<id>. The address is clean again afterwards, a reload goes by the slot. */
  openAsked() {
    const [, id] = /^#\/conversations\/([\w-]{1,36})$/.exec(location.hash) || [];
    if (!id || this.phase !== "ready") return false;
    history.replaceState(null, "", location.pathname + location.search);
    this.show(id);
    return true;
  }

  async openAgain() {
    let id = null;
    try {
      id = sessionStorage.getItem(this.openSlot);
    } catch {
      return;
    }
    if (!id || this.open) return;
    this.show(id);
    const talk = this.talks.get(id);
    await talk.loading;
    if (![403, 404].includes(talk.error?.status)) return;
    talk.parted = true;
    this.leave(id);
  }

  tellView() {
    const after = this.talk?.loaded ? { after: this.talk.lastSeq } : {};
    this.stream.send({ kind: "view", conversation_id: this.open, ...after });
  }

  /* What an agent has before his eyes is read. */
  look() {
    const { talk } = this;
    if (!this.ready || !talk?.loaded || !talk.mine || !this.looksAt(talk.id) || !talk.newest) return;
    if (talk.seen === talk.newest && !talk.case?.unread) return;
    talk.seen = talk.newest;
    this.inbox.patch(talk.id, () => ({ unread: 0 }));
    this.api.post(talk.path + "/seen", { seq: talk.newest }).catch(() => (talk.seen = null));
  }
}
