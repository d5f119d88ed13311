/* The page: who is signed in, the tabs, what is shown. */
const PAGES = new Map(); // key -> {label, component}

function registerPage(key, label, component) {
  PAGES.set(key, { label, component });
}

class Insight {
  constructor(changed) {
    this.changed = changed;
    this.phase = "starting"; // starting | unreachable | login | refused | ready
    this.me = null;
    this.ended = false;
    this.entered = 0; // grows with every sign-in: what failed for want of a session is read again
    const signedOut = () => this.signedOut();
    this.desk = new DeskApi({ signedOut });
    this.api = new InsightApi({ signedOut });
    this.live = new Live(this);
  }

  async boot(tries = 0) {
    try {
      this.enter(await this.desk.get("/me"));
    } catch (error) {
      if (error.status === 401 || error.status === 403) return this.show("login");
      this.show("unreachable");
      setTimeout(() => this.boot(tries + 1), backoff(tries, 1000, 15000));
    }
    return null;
  }

  enter({ agent, csrf_token: token }) {
    this.me = agent;
    this.ended = false;
    this.entered++;
    this.desk.csrf = this.api.csrf = token;
    this.show(agent.must_change || !mayUse(agent, "supervisor") ? "refused" : "ready");
    if (this.phase === "ready") this.live.begin();
  }

  signedOut() {
    if (this.phase !== "ready") return;
    this.ended = true;
    this.live.rest();
    this.show("login");
  }

  async leave() {
    await this.desk.post("/logout").catch(() => null);
    this.live.rest();
    this.me = null;
    this.show("login");
  }

  show(phase) {
    this.phase = phase;
    this.changed();
  }
}

const Top = ({ app, tab }) => html`<header class="top">
  <p class="brand"><${Mark}/><span>电小服<b>经营看板</b></span></p>
  <nav class="tabs" aria-label="看板">${[...PAGES].map(([key, page]) => html`<button type="button" key=${key} aria-current=${key === tab ? "page" : null} onclick=${() => goTo(key)}>${page.label}</button>`)}</nav>
  <span class="top-gap"></span><a class="top-link" href="/desk">坐席台</a>
  <${Menu} label=${app.me.name} text=${app.me.name} glyph="person" items=${[{ title: ROLES[app.me.role] || app.me.role }, { label: "退出登录", run: () => app.leave() }]}/></header>`;

function Shown({ app }) {
  const place = usePlace();
  const tab = PAGES.has(place.tab) ? place.tab : "service";
  const page = PAGES.get(tab);
  const rows = place.query.get("rows");
  useEffect(() => {
    document.title = page.label + " · 电小服经营看板";
  }, [tab]);
  return html`<div class="app insight"><${Top} app=${app} tab=${tab}/><${LostLine} live=${app.live}/>
    <main class="page" aria-label=${page.label}><div class="sheet"><h1 class="sheet-title">${page.label}</h1><${Sound} key=${tab}><${page.component} app=${app} query=${place.query} rest=${place.rest}/><//></div></main>
    ${rows && html`<${Drawer} key=${rows} app=${app} rows=${rows} query=${place.query}/>`}</div>`;
}

/* A session that is over puts the form above the page, which keeps its place behind it. */
function Everything({ app }) {
  if (app.phase === "starting") return html`<p class="starting" role="status">正在打开看板…</p>`;
  if (app.phase === "unreachable") return html`<p class="starting" role="alert">连不上服务器，正在重试…</p>`;
  if (app.phase === "refused") return html`<${NotForYou} app=${app}/>`;
  const behind = app.phase === "login" && app.ended;
  return html`${app.phase === "login" && html`<${SignIn} app=${app}/>`}
    ${(app.phase === "ready" || behind) && html`<div class=${behind ? "behind-gate" : "whole"} hidden=${behind}><${Shown} app=${app}/></div>`}<${Toasts}/>`;
}
