/* The frame of the console: the bar on top with its tabs, what stands below it, dialogs and short messages above. */
const LINK_WORDS = { offline: "连接断开，正在重连…　写的内容会保留并自动发送", connecting: "正在连接…" };

const TopBar = ({ desk }) => html`<header class="top">
  <p class="brand"><${Mark}/><span>电小服<b>坐席台</b></span></p>
  <nav class="tabs" aria-label="功能">
    <button type="button" aria-current=${desk.tab === "talks" ? "page" : null} onclick=${() => desk.goTo("talks")}>会话${desk.inbox.unread > 0 && html`<span class="badge num">${desk.inbox.unread}<span class="sr">条未读</span></span>`}</button>
    ${tabsFor(desk.me).map((tab) => html`<button type="button" key=${tab.key} aria-current=${desk.tab === tab.key ? "page" : null} onclick=${() => desk.goTo(tab.key)}>${tab.label}${tab.badge && html`<${tab.badge} desk=${desk}/>`}</button>`)}
  </nav>
  <span class="top-gap"></span>
  <${Load} desk=${desk}/>
  <button type="button" class="bare" aria-pressed=${String(alerts.muted)} aria-label=${alerts.muted ? "提示音已关" : "提示音已开"} title="提示音（Alt+M）" onclick=${() => desk.mute()}><${Glyph} name=${alerts.muted ? "mute" : "bell"}/></button>
  <button type="button" class="bare" aria-label="键盘操作" title="键盘操作（?）" onclick=${() => desk.ask(KeysDialog)}><${Glyph} name="keyboard"/></button>
  <${StatusMenu} desk=${desk}/>
  <${MeMenu} desk=${desk}/>
</header>`;

/* How much one has in hand of what one takes at the same time. */
const Load = ({ desk }) => {
  const load = desk.inbox.mine.length;
  const { offers, wrap_up: ended } = desk.inbox;
  const all = load + offers.length + ended.length;
  const { capacity } = desk.me;
  return html`<span class=${"load" + (capacity && all >= capacity ? " full" : "")} title="接待中 / 上限；派给您的和待小结的也各占一个位置">接待 <b class="num">${load}${capacity ? "/" + capacity : ""}</b>${offers.length > 0 && html`，派给您 <b class="num">${offers.length}</b>`}${ended.length > 0 && html`，待小结 <b class="num">${ended.length}</b>`}</span>`;
};

const LinkLine = ({ desk }) => html`<div role="status" class="link-line">${LINK_WORDS[desk.link] && html`<p class=${desk.link}><span class="spin" aria-hidden="true"></span>${LINK_WORDS[desk.link]}</p>`}</div>`;

class Guarded extends Component {
  componentDidCatch(error) {
    console.error(error);
    this.setState({ broken: true });
  }

  render({ children, retry }, { broken }) {
    if (!broken) return children;
    return html`<main class="talk none"><${Empty} title="这一页出了问题"><button type="button" onclick=${() => (this.setState({ broken: false }), retry?.())}>重新打开</button><//></main>`;
  }
}

Object.assign(Desk.prototype, {
  goTo(key) {
    this.tab = key;
    this.look();
    this.changed();
  },
});

function Present({ desk }) {
  const tab = tabsFor(desk.me).find((one) => one.key === desk.tab);
  if (!tab) return html`<${Talks} desk=${desk}/>`;
  return html`<main class="page" aria-label=${tab.label}><${tab.component} desk=${desk} api=${desk.api} me=${desk.me}/></main>`;
}

function App({ desk }) {
  if (desk.phase === "starting") return html`<p class="starting" role="status">正在打开坐席台…</p>`;
  if (desk.phase === "unreachable") return html`<p class="starting" role="alert">连不上服务器，正在重试…</p>`;
  if (desk.phase === "login") return html`<${Login} desk=${desk}/><${Toasts}/>`;
  if (desk.phase === "must_change") return html`<${MustChange} desk=${desk}/><${Toasts}/>`;
  const { dialog } = desk;
  return html`<div class="app">
    <${TopBar} desk=${desk}/><${LinkLine} desk=${desk}/>
    <${Guarded} key=${desk.tab + desk.open}><${Present} desk=${desk}/><//>
    ${dialog && html`<${dialog.component} key=${dialog.key} desk=${desk} close=${() => desk.shut()} ...${dialog.more}/>`}
    <${Toasts}/>
  </div>`;
}
