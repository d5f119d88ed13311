/* What an agent has sent and the server has not confirmed: kept per agent in localStorage, delivered in order per
   conversation; the client id makes sending it again harmless. */
class Sends {
  constructor(desk) {
    this.desk = desk;
    this.busy = new Set();
    this.tries = 0;
  }

  get slot() {
    return "desk:" + this.desk.me?.login + ":sends";
  }

  get entries() {
    return this.desk.me ? store.read(this.slot, []) : [];
  }

  of(conversationId) {
    return this.entries.filter((one) => one.conversation_id === conversationId);
  }

  update(change) {
    store.write(this.slot, change(this.entries));
    this.desk.changed();
  }

  /* body: {text} | {upload_id} | {card} | {form}; shown: the words that stand for it until it has arrived. */
  add(conversationId, body, shown) {
    const entry = { client_id: newId(), conversation_id: conversationId, body, shown, at: new Date(serverNow()).toISOString(), error: null };
    this.update((all) => [...all, entry]);
    this.flush(conversationId);
  }

  drop(clientId) {
    this.update((all) => all.filter((one) => one.client_id !== clientId));
  }

  retry(clientId) {
    const entry = this.entries.find((one) => one.client_id === clientId);
    if (!entry) return;
    this.update((all) => all.map((one) => (one.client_id === clientId ? { ...one, error: null } : one)));
    this.flush(entry.conversation_id);
  }

  flushAll() {
    this.tries = 0;
    for (const id of new Set(this.entries.map((one) => one.conversation_id))) this.flush(id);
  }

  async flush(conversationId) {
    if (this.busy.has(conversationId)) return;
    this.busy.add(conversationId);
    try {
      let more = true;
      while (more) more = await exclusively("desk:" + conversationId, () => this.sendFirst(conversationId));
    } finally {
      this.busy.delete(conversationId);
    }
  }

  /* True when the next one may follow. */
  async sendFirst(conversationId) {
    const entry = this.of(conversationId).find((one) => !one.error);
    if (!entry || !this.desk.ready) return false;
    try {
      const path = "/conversations/" + conversationId + "/messages";
      const { message } = await this.desk.api.post(path, { client_id: entry.client_id, ...entry.body });
      this.tries = 0;
      this.desk.talkOf(conversationId)?.receive([{ client_id: entry.client_id, ...message }], false);
      this.drop(entry.client_id);
      return true;
    } catch (error) {
      return this.failed(entry, error);
    }
  }

  failed(entry, error) {
    if (error instanceof Problem && error.status === 401) return false;
    if (error instanceof Problem && error.definitive) {
      const told = { detail: error.message, code: error.code, holder: error.document?.holder?.name };
      this.update((all) => all.map((one) => (one.client_id === entry.client_id ? { ...one, error: told } : one)));
      /* Who has it now is told by the event that is on its way; only what is still ours to see is read anew. */
      if (error.status === 409) this.desk.talkOf(entry.conversation_id)?.load();
      else if (error.status === 403) setTimeout(() => this.desk.talkOf(entry.conversation_id)?.load(), 4000);
      return true;
    }
    setTimeout(() => this.flush(entry.conversation_id), error.retryAfter ?? backoff(this.tries++, 1000, 20000));
    return false;
  }
}
