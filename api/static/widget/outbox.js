/* What the customer has sent and the bridge has not yet confirmed. It lives in localStorage, survives reloads
   and goes out in order, one POST at a time; the client id makes a repeated delivery harmless. */
class Outbox {
  constructor(key, post, changed) {
    this.slot = key + ":outbox";
    this.lock = key + ":send";
    this.post = post;
    this.changed = changed;
    this.tries = 0;
    this.sending = null;
    this.stopped = false;
  }

  get entries() {
    return store.read(this.slot, []);
  }

  update(change) {
    store.write(this.slot, change(this.entries));
    this.changed();
  }

  add(entry) {
    this.update((all) => [...all, { ...entry, client_id: newId(), at: new Date().toISOString() }]);
    this.flush();
  }

  remove(clientId) {
    this.update((all) => all.filter((entry) => entry.client_id !== clientId));
  }

  /* A button of an earlier conversation is unknown to this one: then its words are sent instead. */
  retry(clientId) {
    const entry = this.entries.find((one) => one.client_id === clientId);
    if (!entry) return;
    const again = { ...entry, error: null };
    if (entry.error.status === 404 && entry.button_id) {
      again.button_id = null;
      again.client_id = newId();
    }
    this.update((all) => [...all.filter((one) => one !== entry && one.client_id !== clientId), again]);
    this.flush();
  }

  async flush() {
    if (this.running || this.stopped) return;
    this.running = true;
    clearTimeout(this.timer);
    try {
      while (!this.stopped && (await exclusively(this.lock, () => this.sendFirst()))) {
        /* one after the other */
      }
    } finally {
      this.running = false;
    }
  }

  /* True when the next one may follow. */
  async sendFirst() {
    const entry = this.entries.find((one) => !one.error);
    if (!entry || this.stopped) return false;
    this.sending = entry.client_id;
    this.changed();
    try {
      await this.post(entry);
      this.tries = 0;
      this.remove(entry.client_id);
      return true;
    } catch (error) {
      return this.failed(entry, error);
    } finally {
      this.sending = null;
      this.changed();
    }
  }

  failed(entry, error) {
    if (error instanceof Problem && error.definitive) {
      const reason = { status: error.status, detail: error.message };
      this.update((all) => all.map((one) => (one.client_id === entry.client_id ? { ...one, error: reason } : one)));
      return true;
    }
    if (!(error instanceof Halt) && !this.stopped) {
      this.timer = setTimeout(() => this.flush(), error.retryAfter ?? backoff(this.tries++, 1000));
    }
    return false;
  }

  /* The network is back: do not sit out the waiting time. */
  hurry() {
    this.tries = 0;
    this.flush();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
  }
}
