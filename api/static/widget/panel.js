/* The launcher, and the window with its head, its record and the place to write. */
const MODES = { bot: "智能客服", queued: "排队中", human: "人工客服", closed: "已结束" };
const WRITERS = { bot: "智能客服正在输入…", agent: "人工客服正在输入…" };
const LINKS = {
  offline: "网络已断开，您写的内容会在恢复后自动发送",
  trouble: "服务暂时不可用，正在重试，您写的内容不会丢失",
};

const Launcher = ({ widget, unread }) => html`
  <button
    type="button"
    class="launcher"
    aria-label="在线客服"
    aria-haspopup="dialog"
    aria-expanded=${String(widget.shown)}
    aria-describedby="unread"
    hidden=${widget.shown}
    ref=${(node) => (widget.launcher = node)}
    onclick=${() => widget.open()}
  >
    <${Mark}/><span class="launcher-text">在线客服</span>
    <span id="unread" class=${unread ? "badge" : "sr"}>
      ${unread > 0 && html`${unread > 99 ? "99+" : unread}<span class="sr">条未读消息</span>`}
    </span>
  </button>`;

/* Who serves the customer now: 人工客服 · 陈璐, as the last message of an agent says. */
function modeWords(chat) {
  const words = MODES[chat.mode] || MODES.bot;
  const last = chat.mode === "human" ? [...chat.items].reverse().find((item) => item.author === "agent" && item.agent?.name) : null;
  return last ? words + " · " + last.agent.name : words;
}

function Head({ widget, chat }) {
  const served = chat.mode === "queued" || chat.mode === "human";
  const ask = () => {
    const asked = chat.outbox.entries.some((entry) => entry.text === HUMAN_WORD && !entry.error);
    if (!asked && !served) chat.say(HUMAN_WORD);
  };
  /* The button goes when a person has come; the focus on it must not go to the page behind. */
  const call = useRef(null);
  const focused = chat.mode === "human" && call.current?.getRootNode().activeElement === call.current;
  useLayoutEffect(() => {
    if (focused) widget.input.closest('[role="dialog"]').focus({ preventScroll: true });
  }, [focused]);
  return html`<header>
    <${Mark}/>
    <div class="who"><p class="name">电小服</p><p class="mode" role="status">${modeWords(chat)}</p></div>
    ${chat.mode !== "human" &&
    html`<button type="button" class="person-call" ref=${call} aria-disabled=${String(served)} onclick=${ask}>
      <${PersonIcon}/><span>${HUMAN_WORD}</span>
    </button>`}
    <button type="button" aria-pressed=${String(widget.big)} onclick=${() => widget.toggleBig()}>大字版</button>
    ${!widget.full &&
    html`<button type="button" class="close-button" aria-label="关闭" onclick=${() => widget.close()}><${CloseIcon}/></button>`}
  </header>`;
}

/* What stands between the customer and an answer, in words; empty while all is well. */
const Banners = ({ widget, chat }) => html`
  <div role="status">
    ${LINKS[chat.link] && html`<p class="banner offline">${LINKS[chat.link]}</p>`}
    ${chat.link === "expired" &&
    html`<p class="banner offline">
      <span>登录已过期，请在页面上重新登录</span>
      <button type="button" onclick=${() => widget.logout()}>不登录，继续咨询</button>
    </p>`}
    ${chat.mode === "queued" && chat.place.text && html`<p class="banner"><span>${chat.place.text}</span></p>`}
    ${chat.mode === "closed" &&
    html`<p class="banner"><span>本次会话已结束</span>
      <button type="button" onclick=${() => chat.restart()}>开始新会话</button>
    </p>`}
  </div>`;

/* Enter sends, Shift+Enter breaks the line. An Enter that confirms a candidate of a Chinese input method does not
   send: Chrome and Firefox mark it as composing or with key code 229, Safari ends the composition just before it. */
function Composer({ chat, widget }) {
  const [text, setText] = useState("");
  const composing = useRef(false);
  const tooLong = text.trim().length > MAX_TEXT;
  const send = () => {
    if (chat.say(text)) setText("");
    widget.input.focus();
  };
  const onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey) return;
    if (event.isComposing || event.keyCode === 229 || composing.current) return;
    event.preventDefault();
    send();
  };
  return html`<form onsubmit=${(event) => event.preventDefault() || send()}>
    <${PhotoButton} chat=${chat}/>
    <div class="grow" data-text=${text}>
      <textarea
        rows="1"
        aria-label="输入您的问题"
        aria-invalid=${String(tooLong)}
        aria-describedby="length"
        placeholder="请描述您的问题"
        enterkeyhint="send"
        autocomplete="off"
        value=${text}
        ref=${(node) => (widget.input = node)}
        oninput=${(event) => setText(event.target.value)}
        onkeydown=${onkeydown}
        oncompositionstart=${() => (composing.current = true)}
        oncompositionend=${() => setTimeout(() => (composing.current = false), 30)}
      ></textarea>
    </div>
    <button type="submit" class="send-button" aria-disabled=${String(!text.trim() || tooLong)}>
      <${SendIcon}/><span>发送</span>
    </button>
    <p id="length" class=${"length" + (tooLong ? " failure" : "")}>
      ${text.length > MAX_TEXT - 200 && "已写 " + text.length + " 字，最多 " + MAX_TEXT + " 字"}
    </p>
  </form>`;
}

function Panel({ widget, chat }) {
  const panel = useRef(null);
  useEffect(() => {
    /* On a phone the keyboard would cover what there is to read. */
    const target = matchMedia("(pointer: coarse)").matches ? panel.current : widget.input;
    target.focus({ preventScroll: true });
  }, []);
  const onkeydown = (event) => {
    if (event.key === "Escape" && !event.isComposing && event.keyCode !== 229) widget.close();
  };
  return html`<section class="panel" role="dialog" aria-label="在线客服" tabindex="-1" ref=${panel} onkeydown=${onkeydown}>
    <${Head} widget=${widget} chat=${chat}/>
    <${Banners} widget=${widget} chat=${chat}/>
    <${Log} key=${chat.customer.key} chat=${chat} big=${widget.big}/>
    <p class="typing" role="status">
      ${chat.writer && html`<span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>${WRITERS[chat.writer]}`}
    </p>
    <${Composer} key=${"write" + chat.customer.key} chat=${chat} widget=${widget}/>
  </section>`;
}

const App = ({ widget, chat }) => html`
  <div class=${"root" + (widget.big ? " big" : "") + (widget.full ? " full" : "")} lang="zh-CN">
    <${Launcher} widget=${widget} unread=${chat.unread}/>
    ${widget.shown && html`<${Panel} widget=${widget} chat=${chat}/>`}
  </div>`;
