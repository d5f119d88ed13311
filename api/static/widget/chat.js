/* One customer's conversation: its messages in order, its mode, what is unread. Knows nothing of the screen. */
const TYPING_MS = { bot: 20000, agent: 10000 }; /* a person's keys may stop, and no frame will say so */
const PAGE = 500; /* so many messages the bridge gives at a time */

class Chat {
  constructor(base, customer, changed) {
    this.base = base;
    this.customer = customer;
    this.changed = changed;
    [this.items, this.past, this.earlier] = [[], [], []];
    this.bySeq = new Map();
    this.clientIds = new Set();
    this.cursor = 0;
    this.mode = "bot";
    this.typing = null;
    this.link = "idle";
    this.loaded = false;
    this.warnings = new Map();
    this.marks = new Marks(customer.key);
    this.photos = new Photos(this);
    this.outbox = new Outbox(customer.key, (entry) => this.post(entry), changed);
    this.stream = new Link(this);
    this.place = new Place(this);
    this.sessions = new SessionKeeper(base, customer, {
      adopted: (session) => this.entered(session),
      wanted: () => this.wanted || this.outbox.entries.length > 0,
      expired: () => this.loginExpired(),
    });
    this.otherTab = (event) => this.storageChanged(event);
    window.addEventListener("storage", this.otherTab);
    const stored = customer.session || this.sessions.stored;
    if (stored) this.sessions.adopt(stored);
    if (stored || this.outbox.entries.length) this.start();
  }

  start() {
    if (this.started) return;
    this.started = true;
    this.stream.next(0);
    this.outbox.flush();
  }

  /* The customer has opened the chat or said something. */
  want() {
    const first = !this.wanted;
    this.wanted = true;
    if (this.started && first && this.link !== "online") this.stream.next(0);
    this.start();
  }

  stop() {
    this.outbox.stop();
    this.stream.stop();
    clearTimeout(this.typingTimer);
    window.removeEventListener("storage", this.otherTab);
  }

  /* After the host page's logout nothing of this customer may stay on a shared machine. */
  forget() {
    this.stop();
    this.marks.forget();
    store.remove(this.sessions.slot);
    store.remove(this.outbox.slot);
  }

  /* The host page has logged the same customer in afresh. */
  renewLogin(token) {
    this.customer.token = token;
    if (this.link !== "expired") return;
    this.linked("idle");
    this.stream.next(0);
    this.outbox.hurry();
  }

  loginExpired() {
    this.linked("expired");
    window.dispatchEvent(new CustomEvent("dianfu:login-expired"));
  }

  entered(session) {
    if (this.conversationId && this.conversationId !== session.conversation_id) turnThePage(this);
    this.conversationId = session.conversation_id;
    if (session.mode) this.mode = session.mode;
    this.changed();
  }

  moved(conversation_id) {
    this.sessions.moved(conversation_id);
    if (this.started) this.stream.next(0);
  }

  restart() {
    if (this.sessions.current) this.sessions.over(this.sessions.current.token);
    this.stream.reconnect();
  }

  /* The same customer in another tab has sent something or has begun another session. */
  storageChanged(event) {
    if (event.key === "dianfu:" + this.outbox.slot) this.changed();
    if (event.key !== "dianfu:" + this.sessions.slot) return;
    const { stored, current } = this.sessions;
    if (!stored || (current && stored.token === current.token)) return;
    this.sessions.adopt(stored);
    this.started = true;
    this.stream.reconnect();
  }

  setMode(mode) {
    if (!mode || mode === this.mode) return;
    this.mode = mode;
    this.place.hear("");
    if (this.typing === "agent") this.setTyping(null);
    this.sessions.remember(mode);
    this.changed();
  }

  setTyping(author) {
    clearTimeout(this.typingTimer);
    this.typing = author;
    if (author) this.typingTimer = setTimeout(() => this.setTyping(null), TYPING_MS[author]);
    this.changed();
  }

  linked(state) {
    if (this.link === state) return;
    this.link = state;
    if (state === "online") this.outbox.hurry();
    this.changed();
  }

  /* Answers are marked with their conversation: one that comes late must not land in the next one. */
  ask(method, path, body) {
    return async ({ token, conversation_id }) => {
      const answer = await call(this.base, method, path(), { token, body });
      return { ...answer, late: () => conversation_id !== this.conversationId };
    };
  }

  async fetchNew() {
    let page;
    do {
      page = await this.sessions.within(this.ask("GET", () => "/v1/messages?after=" + this.cursor), [401]);
      if (page.late()) return;
      if (page.conversation_id && page.conversation_id !== this.conversationId) {
        this.moved(page.conversation_id);
        return this.fetchNew();
      }
      this.receive(page.messages, this.loaded);
      for (const message of page.messages) this.cursor = Math.max(this.cursor, message.seq);
    } while (page.messages.length >= PAGE);
    this.loaded = true;
    lookEarlier(this);
    this.setMode(page.mode);
    this.changed();
  }

  frame(frame) {
    if (frame.kind === "message") {
      this.cursor = Math.max(this.cursor, frame.message.seq);
      this.receive([frame.message], true);
    } else if (frame.kind === "mode") {
      this.setMode(frame.mode);
    } else if (frame.kind === "moved") {
      this.moved(frame.conversation_id);
    } else if (frame.kind === "queue") {
      this.place.hear(frame.text);
    } else if (frame.kind === "typing") {
      this.setTyping(frame.on ? frame.author : null);
    }
  }

  /* A closed conversation (409) takes nothing more, so the message opens the next one. */
  async post({ client_id, button_id, upload_id, text, at }) {
    const body = button_id ? { client_id, button_id } : upload_id ? { client_id, upload_id } : { client_id, text };
    const answer = await this.sessions.within(this.ask("POST", () => "/v1/messages", body), [401, 409]);
    if (!Number.isInteger(answer.accepted_seq)) this.warnOnly(client_id, answer.messages);
    this.warnings.delete(client_id);
    /* Where the conversation goes on the log itself says; this answer belongs to the one that it names. */
    if (!answer.late() && (answer.conversation_id || this.conversationId) === this.conversationId) {
      /* The cursor stays: somebody else's message may still be on its way below these numbers. */
      const own = { seq: answer.accepted_seq, author: "customer", ...shownAs(upload_id), text, client_id, at };
      this.receive([own, ...answer.messages], true);
      this.setMode(answer.mode);
    }
    if (!this.stream.alive) this.stream.next(0);
  }

  /* The bridge could not write its log and has only warned of a danger: show that, and go on trying to deliver. */
  warnOnly(clientId, messages) {
    const warning = messages.map((message) => ({ ...message, key: "warning" + clientId, live: true, buttons: [] }));
    if (!this.warnings.has(clientId)) this.warnings.set(clientId, warning);
    this.changed();
    throw new NotLogged();
  }

  receive(messages, live) {
    for (const message of messages) {
      if (!Number.isInteger(message.seq) || this.bySeq.has(message.seq)) continue;
      const key = message.client_id || this.conversationId + ":" + message.seq;
      const item = { ...message, key, live, buttons: message.buttons || [] };
      this.bySeq.set(item.seq, item);
      if (item.client_id) this.clientIds.add(item.client_id);
      let at = this.items.length;
      while (at > 0 && this.items[at - 1].seq > item.seq) at--;
      this.items.splice(at, 0, item);
      if (item.author === this.typing) this.setTyping(null);
    }
    if (messages.length) this.changed();
  }

  say(text) {
    const words = text.trim();
    if (!words || words.length > MAX_TEXT) return false;
    this.outbox.add({ text: words });
    this.want();
    return true;
  }

  press(item, button) {
    if (item.over || this.choiceOf(item)) return;
    this.marks.use(this.conversationId, item.seq, button.id);
    this.outbox.add({ button_id: button.id, text: button.title });
  }

  choiceOf(item) {
    return item.over ? null : this.marks.usedOf(this.conversationId, item.seq);
  }

  get waiting() {
    return this.outbox.entries.filter((entry) => !this.clientIds.has(entry.client_id));
  }

  /* Who is writing an answer: what the stream says, or the bot while a message of ours is on its way. */
  get writer() {
    if (this.typing) return this.typing;
    return this.outbox.sending && this.mode === "bot" && this.link === "online" ? "bot" : null;
  }

  get unread() {
    const from = this.marks.readTo(this.conversationId);
    return this.items.filter((item) => item.author !== "customer" && item.seq > from).length;
  }

  markSeen() {
    const last = this.items[this.items.length - 1];
    if (last && this.unread) this.marks.read(this.conversationId, last.seq);
  }
}
