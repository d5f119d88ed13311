/* The five lists of the inbox. A case that moved is put where it now belongs at once; the server's own lists, read
   soon after, have the last word. */
const LISTS = ["offers", "mine", "wrap_up", "queue", "messages"];

/* The wait as an instant, so that it can go on counting here. */
const dated = (one) => ({ ...one, waiting_since: one.waiting_seconds ? new Date(serverNow() - one.waiting_seconds * 1000).toISOString() : null });

class Inbox {
  constructor(desk) {
    this.desk = desk;
    this.clear();
  }

  clear() {
    for (const name of LISTS) this[name] = [];
    this.loaded = false;
  }

  take(answer) {
    for (const name of LISTS) this[name] = (answer[name] || []).map(dated);
    this.loaded = true;
  }

  get all() {
    return LISTS.flatMap((name) => this[name]);
  }

  find(conversationId) {
    return this.all.find((one) => one.conversation_id === conversationId) || null;
  }

  /* Which list a case belongs to; null: in none of mine. */
  listOf(one) {
    const me = this.desk.me.id;
    if (one.holder?.id === me) return one.mode === "wrap_up" ? "wrap_up" : one.mode === "closed" ? null : "mine";
    if (one.holder) return null;
    if (one.left_message) return "messages";
    if (one.mode === "offered") return one.offered_to === me ? "offers" : null;
    return one.mode === "queued" ? "queue" : null;
  }

  put(given) {
    const one = dated(given);
    const list = this.listOf(one);
    const present = LISTS.find((name) => this[name].some((other) => other.conversation_id === one.conversation_id));
    if (list && list === present) {
      this[list] = this[list].map((other) => (other.conversation_id === one.conversation_id ? one : other));
      return;
    }
    this.remove(one.conversation_id);
    if (list) this[list] = [...this[list], one];
  }

  patch(conversationId, change) {
    for (const name of LISTS) {
      this[name] = this[name].map((one) => (one.conversation_id === conversationId ? { ...one, ...change(one) } : one));
    }
  }

  remove(conversationId) {
    for (const name of LISTS) this[name] = this[name].filter((one) => one.conversation_id !== conversationId);
  }

  get unread() {
    return this.mine.reduce((sum, one) => sum + (one.unread || 0), 0);
  }
}
