/* The one socket of the console. It resumes by the number of the last event, tells whether it stands, and while it
   does not stand the inbox is read the slow way, so that a broken proxy stops nobody's work. */
const STREAM_PING_MS = 10000;
const STREAM_SILENCE_MS = 25000;
const STREAM_HANDSHAKE_MS = 8000;

class Stream {
  constructor(desk) {
    this.desk = desk;
    this.tries = 0;
    this.hurry = () => this.running && !this.alive && this.next(0);
    window.addEventListener("online", this.hurry);
    window.addEventListener("offline", () => this.running && this.lost());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.hurry());
  }

  get alive() {
    return Boolean(this.socket && this.socket.readyState === WebSocket.OPEN);
  }

  start() {
    this.running = true;
    this.tries = 0;
    if (!this.socket) this.connect();
  }

  stop() {
    this.running = false;
    clearTimeout(this.timer);
    this.drop();
  }

  next(delay) {
    clearTimeout(this.timer);
    if (this.running) this.timer = setTimeout(() => this.connect(), delay);
  }

  connect() {
    if (!this.running || this.socket) return;
    const url = location.origin.replace(/^http/, "ws") + DESK + "/stream?after=" + this.desk.seq;
    try {
      this.socket = new WebSocket(url);
    } catch {
      this.lost();
      return;
    }
    this.handshake = setTimeout(() => this.lost(), STREAM_HANDSHAKE_MS);
    this.socket.onopen = () => this.opened();
    this.socket.onmessage = (event) => this.heard(event.data);
    this.socket.onclose = (event) => this.closed(event.code);
  }

  opened() {
    clearTimeout(this.handshake);
    this.lastHeard = Date.now();
    this.tries = 0;
    this.heartbeat = setInterval(() => this.ping(), STREAM_PING_MS);
    this.send({ kind: "ping" });
    this.desk.linked("online");
  }

  heard(data) {
    this.lastHeard = Date.now();
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    this.desk.frame(frame);
  }

  send(frame) {
    if (this.alive) this.socket.send(JSON.stringify(frame));
  }

  /* A laptop may have slept through the end of a connection: silence is an end too. */
  ping() {
    if (Date.now() - this.lastHeard > STREAM_SILENCE_MS) this.lost();
    else this.send({ kind: "ping" });
  }

  closed(code) {
    if (code === 4401) {
      this.drop();
      this.desk.signedOut();
    } else this.lost();
  }

  lost() {
    this.drop();
    if (!this.running) return;
    this.desk.linked("offline");
    this.desk.refreshQuietly();
    this.next(backoff(this.tries++, 600, 15000));
  }

  drop() {
    clearTimeout(this.handshake);
    clearInterval(this.heartbeat);
    const { socket } = this;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
