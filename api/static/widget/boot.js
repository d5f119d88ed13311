/* Puts <dianfu-chat> on the page and gives the page window.dianfu. */
class Widget {
  constructor(base, root, full) {
    this.base = base;
    this.full = full;
    this.root = root;
    this.chosenBig = store.read("big", null); /* what was chosen here goes before what the session suggests */
    this.shown = false;
    this.changed = () => this.schedule();
    this.chat = this.chatOf(null);
    document.addEventListener("visibilitychange", this.changed);
    this.draw();
  }

  chatOf(token) {
    return this.chatFor({ key: customerKey(token), token });
  }

  chatFor(customer) {
    const chat = new Chat(this.base, customer, this.changed);
    chat.onPress = (item, button) => chat.press(item, button);
    return chat;
  }

  /* Many changes of one moment become one drawing. */
  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    setTimeout(() => {
      this.scheduled = false;
      this.draw();
    }, 0);
  }

  draw() {
    if (this.shown && document.visibilityState === "visible") this.chat.markSeen();
    render(html`<${App} widget=${this} chat=${this.chat}/>`, this.root);
  }

  login(token) {
    if (typeof token !== "string" || !token) throw new TypeError("dianfu.login needs the customer token as a string");
    if (customerKey(token) === this.chat.customer.key) {
      this.chat.renewLogin(token);
      return;
    }
    this.chat.stop();
    this.change(token);
  }

  logout() {
    if (!this.chat.customer.token) return;
    this.chat.forget();
    this.change(null);
  }

  /* The page inside WeChat: a session that it was given, and what to do when that ends. */
  enter(session, { seq, renew }) {
    this.chat.stop();
    this.chat = this.chatFor({ key: "h" + digest(session.conversation_id), token: null, session, renew });
    this.chat.wantedSeq = seq || 0;
    this.full = true;
    this.open();
  }

  change(token) {
    this.chat = this.chatOf(token);
    if (this.shown) this.chat.want();
    this.draw();
  }

  open() {
    this.chat.want();
    this.shown = true;
    this.draw();
  }

  close() {
    if (!this.shown || this.full) return;
    this.shown = false;
    this.draw();
    this.launcher.focus();
  }

  ask(text) {
    this.open();
    return this.chat.say(String(text));
  }

  get big() {
    if (typeof this.chosenBig === "boolean") return this.chosenBig;
    return this.chat?.sessions.current?.large_type === true;
  }

  toggleBig() {
    this.chosenBig = !this.big;
    store.write("big", this.chosenBig);
    this.draw();
  }
}

/* Under a strict policy a constructed sheet is allowed where a <style> element is not. */
function dress(root) {
  if (!("adoptedStyleSheets" in root)) {
    const style = document.createElement("style");
    style.textContent = STYLE;
    root.append(style);
    return null;
  }
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  const room = new CSSStyleSheet();
  root.adoptedStyleSheets = [sheet, room];
  return room;
}

/* A phone's keyboard covers the page without resizing it; the visual viewport tells what is left. */
function followViewport(room) {
  const view = window.visualViewport;
  if (!view || !room) return;
  const measure = () =>
    room.replaceSync(`:host{--room:calc(${Math.round(view.height)}px - var(--page-bar,0px));--room-top:calc(${Math.round(view.offsetTop)}px + var(--page-bar,0px))}`);
  view.addEventListener("resize", measure);
  view.addEventListener("scroll", measure);
  measure();
}

/* The bridge's address: data-api, or wherever this script was served from. */
function baseOf(script) {
  if (script?.dataset.api) return script.dataset.api.replace(/\/+$/, "");
  return script?.src ? script.src.replace(/\/widget\/v1\.js.*$/, "") : location.origin;
}

class DianfuChat extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    const root = this.attachShadow({ mode: "open" });
    followViewport(dress(root));
    const place = document.createElement("div");
    root.append(place);
    const widget = new Widget(BASE, place, FULL);
    window.dianfu = {
      login: (token) => widget.login(token),
      logout: () => widget.logout(),
      open: () => widget.open(),
      close: () => widget.close(),
      ask: (text) => widget.ask(text),
      ...(FULL && { enter: (session, options) => widget.enter(session, options) }),
    };
    window.dispatchEvent(new CustomEvent("dianfu:ready"));
  }
}

const BASE = baseOf(document.currentScript);
const FULL = document.currentScript?.dataset.full === "true";

function boot() {
  /* The tag may stand on the page twice. */
  if (customElements.get("dianfu-chat")) return;
  customElements.define("dianfu-chat", DianfuChat);
  if (!document.querySelector("dianfu-chat")) document.body.append(document.createElement("dianfu-chat"));
}

if (document.body) boot();
else document.addEventListener("DOMContentLoaded", boot);
