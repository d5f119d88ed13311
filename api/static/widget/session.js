/* The bridge session of one customer: kept in localStorage, opened when first needed, replaced when it ends. */

/* Nothing more is to be tried until somebody acts: the customer here, or the host page. */
class Halt extends Error {}

/* The host page's login is no longer good; only the host page can mend that. */
class LoginExpired extends Halt {}

/* The stored session has ended and nobody has opened the chat: no reason to begin another one. */
class NotWanted extends Halt {}

class SessionKeeper {
  constructor(base, customer, { adopted, wanted, expired }) {
    this.base = base;
    this.customer = customer;
    this.slot = customer.key + ":session";
    this.adopted = adopted;
    this.wanted = wanted;
    this.expired = expired;
    this.current = null;
    this.dead = null;
  }

  /* Inside WeChat the page is given its session: what the browser has stored may be of somebody else. */
  get stored() {
    return this.customer.renew ? null : store.read(this.slot, null);
  }

  adopt(session) {
    this.current = session;
    this.adopted(session);
    return session;
  }

  ensure() {
    if (this.current) return Promise.resolve(this.current);
    if (!this.opening) {
      this.opening = exclusively(this.slot, () => this.open()).finally(() => {
        this.opening = null;
      });
    }
    return this.opening;
  }

  /* Another tab may have replaced the dead session already. */
  async open() {
    if (this.customer.renew) {
      this.customer.renew();
      throw new NotWanted();
    }
    const stored = this.stored;
    if (stored && stored.token !== this.dead) return this.adopt(stored);
    if (!this.wanted()) {
      store.remove(this.slot);
      throw new NotWanted();
    }
    const { token } = this.customer;
    try {
      const session = await call(this.base, "POST", "/v1/sessions", { token, body: { channel: "web" } });
      store.write(this.slot, session);
      return this.adopt(session);
    } catch (error) {
      if (!(error instanceof Problem && error.status === 401 && token)) throw error;
      this.expired();
      throw new LoginExpired(error.message);
    }
  }

  over(token) {
    if (!this.current || this.current.token !== token) return;
    this.dead = token;
    this.current = null;
  }

  /* Do work in a session; if the bridge says with one of these statuses that it is over, once more in a new one. */
  async within(work, endings) {
    const session = await this.ensure();
    try {
      return await work(session);
    } catch (error) {
      if (!(error instanceof Problem && endings.includes(error.status))) throw error;
      this.over(session.token);
      return work(await this.ensure());
    }
  }

  remember(mode) {
    if (!this.current) return;
    this.keep({ mode });
  }

  /* The conversation goes on in another one; the token stays good for it. */
  moved(conversation_id) {
    if (!this.current || !conversation_id || this.current.conversation_id === conversation_id) return;
    this.keep({ conversation_id });
    this.joining = true;
    this.adopted(this.current);
    this.joining = false;
  }

  keep(change) {
    this.current = { ...this.current, ...change };
    if (!this.customer.renew) store.write(this.slot, this.current);
  }
}

/* A new conversation counts from one again; what was said stays readable above it. One that was joined to the
   customer's conversation with WeChat stands above that without a word: it is the same conversation. */
function turnThePage(chat) {
  chat.stream.dropSocket();
  if (chat.items.length) {
    const divider = { key: newId(), author: "system", type: "notice", text: "已为您开始新的会话", buttons: [] };
    const over = chat.items.map((item) => ({ ...item, over: true }));
    chat.past = [...chat.past, ...over, ...(chat.sessions.joining ? [] : [divider])];
  }
  chat.items = [];
  chat.bySeq.clear();
  chat.cursor = 0;
  chat.loaded = false;
}

/* What a login said over the site or the app before it was joined to the present conversation; WeChat is never told. */
async function lookEarlier(chat) {
  const { conversationId, customer } = chat;
  if (!customer.token || chat.earlierOf === conversationId) return;
  chat.earlierOf = conversationId;
  try {
    const ask = chat.ask("GET", () => "/v1/messages/earlier");
    const found = await chat.sessions.within(ask, []);
    if (found.late()) return;
    const there = new Set(chat.past.map((item) => item.key));
    const talks = found.conversations.filter((talk) =>
      talk.messages.length && !talk.messages.some(({ seq }) => there.has(talk.conversation_id + ":" + seq)));
    chat.earlier = talks.reverse().flatMap((talk) => talk.messages.map((message) => ({
      ...message, key: talk.conversation_id + ":" + message.seq, over: true, buttons: [],
    })));
    chat.changed();
  } catch (error) {
    if (!(error instanceof Problem || error instanceof TypeError || error instanceof Halt)) throw error;
    chat.earlierOf = null; /* it is no more than a convenience: the next reading tries again */
  }
}

function openEarlier(chat) {
  const divider = {
    key: "earlier", author: "system", type: "notice", text: "以上是之前的对话", buttons: [], over: true, mark: "before-here",
  };
  chat.past = [...chat.earlier, divider, ...chat.past];
  chat.earlier = [];
  chat.changed();
}
