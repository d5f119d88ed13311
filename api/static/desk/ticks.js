/* One clock for the page: everything that counts seconds hangs on it. */
const ticker = { listeners: new Set(), skew: 0 };
setInterval(() => ticker.listeners.forEach((listener) => listener()), 1000);

/* The server's present time; an agent's own clock may be minutes off. */
const serverNow = () => Date.now() + ticker.skew;

function useTick() {
  const [, draw] = useState(0);
  useEffect(() => {
    const listener = () => draw((n) => n + 1);
    ticker.listeners.add(listener);
    return () => ticker.listeners.delete(listener);
  }, []);
  return serverNow();
}

/* How long something lasts already. */
function Waited({ since, label = "已等" }) {
  const now = useTick();
  const seconds = secondsBetween(since, now);
  return html`<span class="waited num" title=${"自 " + momentOf(since)}><span class="sr">${(seconds < 60 ? "" : label) + spokenWait(seconds)}</span><span aria-hidden="true">${waitWords(seconds)}</span></span>`;
}

/* The seconds that are left, as a ring that empties. */
function Ring({ until, total = 20 }) {
  const now = useTick();
  const left = Math.max(0, (new Date(until) - now) / 1000);
  const share = Math.min(1, left / total);
  const round = 2 * Math.PI * 15;
  return html`<span class=${"ring" + (left < 6 ? " late" : "")} role="timer" aria-label=${"还剩 " + Math.ceil(left) + " 秒"}>
    <svg viewBox="0 0 36 36" aria-hidden="true"><circle cx="18" cy="18" r="15"/>
      <circle class="ring-left" cx="18" cy="18" r="15" stroke-dasharray=${share * round + " " + round} transform="rotate(-90 18 18)"/></svg>
    <b class="num" aria-hidden="true">${Math.ceil(left)}</b></span>`;
}

const CLOCKS = { first_response: "首响", closure: "办结", arrival: "到场" };

/* What a warning of the desk is about. */
function warningWords({ what, clocks = [], level, order_no }) {
  if (what === "clock") return clocks.map((one) => (CLOCKS[one.clock] || one.clock) + (one.level === "breached" ? "已超时" : "快到时限")).join("，");
  if (what === "agent_silent") return level === "escalated" ? "客户久等没有回复，请班长处理" : "客户在等回复";
  if (what === "promise_late") return (order_no ? "工单 " + order_no + " " : "") + "答应客户的时间已过";
  return { message_late: "留言超过了答应的时间", anger: "客户情绪激动", danger: "客户报了险情" }[what] || "请留意这个会话";
}

/* A service clock: what is left to its promise, in words and colour. */
function ClockBadge({ name, clock: one, small }) {
  const now = useTick();
  if (!one || one.state === "none" || (small && one.state === "met")) return null;
  const title = CLOCKS[name] || name;
  if (one.state === "met") return html`<span class="clock met" title=${title + "已达标"}><${Glyph} name="done"/>${title}达标</span>`;
  if (one.state === "paused") return html`<span class="clock paused" title=${title + "计时已暂停"}><${Glyph} name="pause"/>${title}暂停</span>`;
  const left = (new Date(one.due_at) - now) / 1000;
  if (one.state === "breached" || left < 0) {
    return html`<span class="clock breached"><${Glyph} name="clock"/>${title}超时 <b class="num">${waitWords(-left)}</b></span>`;
  }
  const late = one.warn_at && new Date(one.warn_at) <= now;
  const aimed = one.aim_at && new Date(one.aim_at) > now;
  const rest = aimed ? (new Date(one.aim_at) - now) / 1000 : left;
  return html`<span class=${"clock" + (late ? " late" : "")} title=${title + "承诺 " + momentOf(one.due_at) + " 前"}><${Glyph} name="clock"/>${title}${aimed ? "目标" : "剩"} <b class="num">${waitWords(rest)}</b></span>`;
}
