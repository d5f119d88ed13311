/* The record of a conversation: where it stands while it grows, and what of it is drawn. */
const DRAWN_AT_ONCE = 120;
const LOG_END = 60;

/* Follows the end while the agent is there; whoever has scrolled up to read is left in peace. */
function useTail(talkId, count, sent) {
  const box = useRef(null);
  const mark = useRef({ following: true, count: 0 });
  const [missed, setMissed] = useState(0);
  const place = () => {
    box.current.scrollTop = box.current.scrollHeight;
    Object.assign(mark.current, { placed: box.current.scrollTop, tall: box.current.scrollHeight, room: box.current.clientHeight });
  };
  const toEnd = () => {
    mark.current.following = true;
    setMissed(0);
    place();
  };
  /* Our own moves come here too, perhaps after something has grown below: those say nothing about the reader. */
  const onscroll = () => {
    const log = box.current;
    if (Math.abs(log.scrollTop - mark.current.placed) < 2) return;
    if (mark.current.following && (log.scrollHeight !== mark.current.tall || log.clientHeight !== mark.current.room)) return place();
    mark.current.following = log.scrollHeight - log.clientHeight - log.scrollTop < LOG_END;
    if (mark.current.following && missed) setMissed(0);
    return null;
  };
  useLayoutEffect(() => {
    mark.current = { following: true, count };
    toEnd();
  }, [talkId]);
  useLayoutEffect(() => {
    const more = count - mark.current.count;
    const own = sent > (mark.current.sent || 0);
    Object.assign(mark.current, { count, sent });
    if (mark.current.following || own) toEnd();
    else if (more > 0) setMissed((n) => n + more);
  }, [count, sent]);
  useLayoutEffect(() => {
    const watcher = new ResizeObserver(() => mark.current.following && box.current && place());
    watcher.observe(box.current);
    watcher.observe(box.current.firstElementChild);
    return () => watcher.disconnect();
  }, []);
  return { box, missed, onscroll, toEnd };
}

const ARRIVAL_MS = 4000;
const BREATH_MS = 180000;
const sameBreath = (a, b) => a && b && a.author === b.author && a.author !== "system" && (a.channel || "") === (b.channel || "") && (a.agent?.id ?? 0) === (b.agent?.id ?? 0) && new Date(b.at) - new Date(a.at) < BREATH_MS;

const whoSaid = (talk, message) =>
  message.author === "customer" ? customerOf(talk.case || {}) : message.author === "agent" ? (message.agent?.id === talk.desk.me.id ? "我" : message.agent?.name || "坐席") : WHO[message.author] || message.author;

/* `apart`: these are of an earlier talk, whose numbers mean other messages. */
function logRows(desk, talk, rows, apart = "") {
  let day = "";
  let before = null;
  const corrected = talk.corrected;
  return rows.flatMap(({ message, note }) => {
    const one = message || note;
    const today = dayOf(one.at);
    const fresh = today && today !== day;
    day = today || day;
    const line = message
      ? html`<${DeskMessage} key=${"m" + message.seq} desk=${desk} talk=${talk} message=${message} who=${whoSaid(talk, message)} first=${fresh || !sameBreath(before, message)}
          corrected=${apart ? null : corrected[message.seq]} clear=${apart ? null : revealed.get(talk, "message:" + message.seq)} mine=${talk.mine} apart=${Boolean(apart)}/>`
      : html`<${NoteLine} key=${"n" + note.id} desk=${desk} note=${note}/>`;
    const entry = before && message && before.author === "bot" && message.author === "agent" ? html`<li class="line handover" key=${"h" + message.seq}><span>以上由电小服接待，以下由人工接待</span></li>` : null;
    before = message || null;
    return [fresh && html`<li class="line day" key=${"d" + one.at}><span>${today}</span></li>`, entry, line];
  });
}

/* What was said elsewhere before the customer was known to be the same; it stays shut until somebody wants it. */
const EarlierTalk = ({ desk, talk, one }) => html`<details class="earlier-talk"><summary>${channelWord(one.channel)}上更早的对话 · ${momentOf(one.began)} · ${one.messages.length} 条${one.more ? "（只显示最近的）" : ""}</summary>
  <ul class="talk-list">${logRows(desk, talk, one.messages.map((message) => ({ message })), "e" + one.began)}</ul></details>`;

const Earlier = ({ desk, talk }) => talk.earlier.length > 0 && html`${talk.earlier.map((one) => html`<${EarlierTalk} key=${one.began} desk=${desk} talk=${talk} one=${one}/>`)}
  <p class="line joined"><span>以上是并入本会话之前的对话</span></p>`;

function TalkLog({ desk, talk }) {
  const [drawn, setDrawn] = useState(DRAWN_AT_ONCE);
  const rows = talk.rows;
  const outgoing = desk.sends.of(talk.id).filter((one) => !talk.messages.some((message) => message.client_id === one.client_id));
  const { box, missed, onscroll, toEnd } = useTail(talk.id, rows.length + outgoing.length, outgoing.length);
  const typing = [...talk.typing.keys()];
  const underWay = Boolean(talk.underWay);
  useEffect(() => {
    const looking = underWay && setInterval(() => talk.lookAfter(), ARRIVAL_MS);
    return () => clearInterval(looking);
  }, [talk.id, underWay]);
  const earlier = async () => {
    if (rows.length - drawn < 200 && talk.hasEarlier) await talk.loadEarlier();
    setDrawn(drawn + 200);
  };
  return html`<div class="record">
    <div class="log" role="log" aria-live="polite" aria-relevant="additions" aria-label="会话记录" tabindex="0" ref=${box} onscroll=${onscroll}>
      <div class="log-inner">
        ${!talk.loaded && !talk.error && html`<${Spinner} label="正在读取会话…"/>`}
        ${(rows.length > drawn || talk.hasEarlier) && html`<button type="button" class="link earlier" onclick=${earlier}>更早的消息</button>`}
        ${talk.loaded && !rows.length && html`<p class="nothing">还没有消息</p>`}
        ${!talk.hasEarlier && rows.length <= drawn && html`<${Earlier} desk=${desk} talk=${talk}/>`}
        <ul class="talk-list">${logRows(desk, talk, rows.slice(-drawn))}
          ${outgoing.map((entry) => html`<${Outgoing} key=${entry.client_id} desk=${desk} talk=${talk} entry=${entry}/>`)}</ul>
        <p class="typing" role="status">${typing.includes("customer") && html`<span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>客户正在输入…`}</p>
      </div>
    </div>
    ${missed > 0 && html`<button type="button" class="new-below" onclick=${toEnd}><${DownIcon}/>${missed} 条新消息</button>`}
  </div>`;
}
