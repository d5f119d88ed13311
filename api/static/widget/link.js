/* Keeps one conversation up to date: a first GET, then the stream; polling where no stream can be had. */
const POLL_MS = 5000;
const PING_MS = 20000;
const SILENCE_MS = 45000;
const HANDSHAKE_MS = 10000;

/* Place and wait in the queue for a person, in words; the stream tells them, without one they are asked for. */
class Place {
  constructor(chat) {
    this.chat = chat;
    this.text = "";
  }

  async ask() {
    if (this.chat.mode !== "queued") return;
    const found = await this.chat.sessions.within(this.chat.ask("GET", () => "/v1/queue"), [401]);
    if (!found.late()) this.hear(found.text);
  }

  hear(text) {
    if (text === this.text) return;
    this.text = text;
    this.chat.changed();
  }
}

class Link {
  constructor(chat) {
    this.chat = chat;
    this.tries = 0;
    this.socketTries = 0;
    this.socketNotBefore = 0;
    this.wake = () => document.visibilityState === "visible" && this.hurry();
    this.back = () => this.hurry();
    this.gone = () => this.lost();
    window.addEventListener("online", this.back);
    window.addEventListener("offline", this.gone);
    document.addEventListener("visibilitychange", this.wake);
  }

  get alive() {
    return Boolean(this.socket && this.socket.readyState === WebSocket.OPEN);
  }

  next(delay) {
    clearTimeout(this.timer);
    if (!this.stopped) this.timer = setTimeout(() => this.sync(), delay);
  }

  /* Fetch what is new, then see that the stream runs. */
  async sync() {
    if (this.stopped || this.syncing || this.alive) return;
    this.syncing = true;
    try {
      await this.chat.fetchNew();
      await this.chat.place.ask();
      this.tries = 0;
      this.chat.linked("online");
      this.openSocket();
      if (!this.alive) this.next(POLL_MS);
    } catch (error) {
      this.syncFailed(error);
    } finally {
      this.syncing = false;
    }
  }

  syncFailed(error) {
    if (error instanceof Halt) return;
    this.chat.linked(error instanceof Unreachable ? "offline" : "trouble");
    this.next(error.retryAfter ?? backoff(this.tries++));
  }

  openSocket() {
    const session = this.chat.sessions.current;
    if (this.stopped || this.socket || !session || Date.now() < this.socketNotBefore) return;
    const { token } = session;
    const url = this.chat.base.replace(/^http/, "ws") + "/v1/stream?after=" + this.chat.cursor + "&conversation=" + session.conversation_id;
    let socket;
    try {
      socket = new WebSocket(url, ["dianfu.v1", "bearer." + token]);
    } catch {
      this.socketFailed();
      return;
    }
    this.socket = socket;
    this.handshake = setTimeout(() => this.dropSocket() || this.socketFailed(), HANDSHAKE_MS);
    socket.onopen = () => this.opened();
    socket.onmessage = (event) => this.heard(event.data);
    socket.onclose = (event) => this.closed(event.code, token);
  }

  opened() {
    clearTimeout(this.handshake);
    clearTimeout(this.timer);
    this.socketTries = 0;
    this.lastHeard = Date.now();
    this.heartbeat = setInterval(() => this.ping(), PING_MS);
    this.chat.linked("online");
  }

  heard(data) {
    this.lastHeard = Date.now();
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    this.chat.frame(frame);
  }

  closed(code, token) {
    const wasOpen = Boolean(this.heartbeat);
    this.dropSocket();
    if (this.stopped) return;
    if (code === 4401) {
      this.chat.sessions.over(token);
      this.next(backoff(this.tries++, 200));
    } else if (code === 4410) {
      this.next(0);
    } else if (wasOpen) {
      this.next(backoff(this.tries++, 300));
    } else {
      this.socketFailed();
    }
  }

  /* The stream cannot be had now; polling goes on and the stream is tried again later. */
  socketFailed() {
    this.socketNotBefore = Date.now() + backoff(this.socketTries++, 2000, 60000);
    if (!this.syncing) this.next(backoff(0, 300));
  }

  dropSocket() {
    clearTimeout(this.handshake);
    clearInterval(this.heartbeat);
    this.heartbeat = null;
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /* A phone may have slept through the end of a connection: silence is an end too. */
  ping() {
    if (Date.now() - this.lastHeard > SILENCE_MS) this.reconnect();
    else if (this.alive) this.socket.send('{"kind":"ping"}');
  }

  reconnect() {
    this.dropSocket();
    this.next(0);
  }

  hurry() {
    if (this.stopped || !this.chat.started) return;
    this.tries = 0;
    this.socketNotBefore = 0;
    this.chat.outbox.hurry();
    if (!this.alive) {
      this.next(0);
      return;
    }
    const before = this.lastHeard;
    this.socket.send('{"kind":"ping"}');
    clearTimeout(this.probe);
    this.probe = setTimeout(() => this.lastHeard === before && this.reconnect(), POLL_MS);
  }

  lost() {
    if (this.stopped || !this.chat.started) return;
    this.dropSocket();
    this.chat.linked("offline");
    this.next(backoff(this.tries++));
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.probe);
    this.dropSocket();
    window.removeEventListener("online", this.back);
    window.removeEventListener("offline", this.gone);
    document.removeEventListener("visibilitychange", this.wake);
  }
}
