/* The record of the conversation: what is shown of it, and where it stands while it grows. */
const NEAR_END = 48;
const SAME_BREATH_MS = 180000;

/* Messages of one author in a row share one name and one time. */
function together(a, b) {
  if (!a || !b || a.author !== b.author || a.author === "system") return false;
  if (a.agent && b.agent && a.agent.name !== b.agent.name) return false;
  return Math.abs(new Date(b.at) - new Date(a.at)) < SAME_BREATH_MS;
}

/* Follows the end while the reader is there. A bot's answer is shown from the question on, because a bill may be
   taller than the window; whoever has scrolled up to read is left in peace. */
function useFollowing(rows, waiting, typing) {
  const box = useRef(null);
  const mark = useRef({ following: true, placed: 0 });
  const [missed, setMissed] = useState(false);
  const place = () => {
    const log = box.current;
    const questions = log.querySelectorAll(".message.customer");
    const question = questions[questions.length - 1];
    const answered = rows.length && rows[rows.length - 1].author === "bot";
    const end = log.scrollHeight - log.clientHeight;
    log.scrollTop = question && answered ? Math.min(end, question.offsetTop - 12) : end;
    mark.current.placed = log.scrollTop;
  };
  const onscroll = () => {
    const log = box.current;
    if (Math.abs(log.scrollTop - mark.current.placed) < 2) return;
    mark.current.following = log.scrollHeight - log.clientHeight - log.scrollTop < NEAR_END;
    if (mark.current.following) setMissed(false);
  };
  const toEnd = () => {
    mark.current.following = true;
    setMissed(false);
    box.current.scrollTop = box.current.scrollHeight;
    mark.current.placed = box.current.scrollTop;
  };
  useLayoutEffect(() => {
    if (mark.current.following || waiting.length > mark.current.waiting) {
      mark.current.following = true;
      place();
    } else if (rows.length > mark.current.rows) setMissed(true);
    mark.current.rows = rows.length;
    mark.current.waiting = waiting.length;
  }, [rows.length, waiting.length, typing]);
  useLayoutEffect(() => {
    const watcher = new ResizeObserver(() => mark.current.following && mark.current.again());
    watcher.observe(box.current);
    watcher.observe(box.current.firstElementChild);
    return () => watcher.disconnect();
  }, []);
  mark.current.again = place;
  const show = (row) => {
    mark.current.following = false;
    box.current.scrollTop = row.offsetTop - 12;
    mark.current.placed = box.current.scrollTop;
  };
  /* Rows that are put in above are nothing new. */
  const grewAbove = (count) => {
    mark.current.following = false;
    mark.current.rows += count;
  };
  return { box, missed, onscroll, toEnd, show, grewAbove };
}

const IDEAS = ["上个月电费多少", "家里停电了", "电费为什么这么高", "过户要什么材料"];

const Welcome = ({ chat }) => html`
  <div class="welcome">
    <${Mark}/>
    <p class="welcome-title">您好，我是电小服</p>
    <p>查电费、报停电、办业务，都可以找我。<br/>想和人说话，随时点上方的“${HUMAN_WORD}”。</p>
    <div class="buttons" role="group" aria-label="常见问题">
      ${IDEAS.map((idea) => html`<button type="button" onclick=${() => chat.say(idea)}>${idea}</button>`)}
    </div>
    <p class="hint">发现断线、冒烟等危险，请先远离，再拨 <${Words} text=${HOTLINE}/></p>
  </div>`;

function rowsOf(chat, shown, big) {
  const rows = [...chat.past, ...chat.items].slice(-shown);
  let day = "";
  return rows.flatMap((item, i) => {
    const today = dayOf(item.at);
    const fresh = today && today !== day;
    day = today || day;
    return [
      fresh && html`<li class="day" key=${"day" + item.key}>${today}</li>`,
      html`<${Message}
        key=${item.key}
        item=${item}
        big=${big}
        first=${fresh || !together(rows[i - 1], item)}
        last=${!together(item, rows[i + 1])}
        choice=${item.buttons.length ? chat.choiceOf(item) : null}
        onPress=${chat.onPress}
        photos=${chat.photos}
      />`,
    ];
  });
}

/* A message on its way, and under it the warning of a bridge that could not yet take it. */
function waitingRow(chat, entry) {
  const warnings = chat.warnings.get(entry.client_id) || [];
  return [
    html`<${Waiting}
      key=${entry.client_id}
      entry=${entry}
      photos=${chat.photos}
      onRetry=${(id) => chat.outbox.retry(id)}
      onDrop=${(id) => chat.outbox.remove(id)}
    />`,
    ...warnings.map((item) => html`<${Message} key=${item.key} item=${item} first last/>`),
  ];
}

function Log({ chat, big }) {
  const [shown, setShown] = useState(SHOWN_AT_ONCE);
  const { waiting, photos } = chat;
  const all = [...chat.past, ...chat.items];
  const { box, missed, onscroll, toEnd, show, grewAbove } = useFollowing(all, [...photos.sending, ...waiting], chat.writer);
  /* A link has named a message. */
  useLayoutEffect(() => {
    if (!chat.wantedSeq || !chat.loaded) return;
    const row = box.current.querySelector(`[data-seq="${chat.wantedSeq}"]`);
    if (!row && all.length > shown) {
      setShown(all.length);
      return;
    }
    chat.wantedSeq = 0;
    if (!row) return;
    row.classList.add("wanted");
    show(row);
  }, [all.length, chat.loaded, shown]);
  const onEarlier = () => {
    grewAbove(chat.earlier.length + 1);
    openEarlier(chat);
    setShown(Infinity);
    chat.wantedEnd = true;
    box.current.focus();
  };
  useLayoutEffect(() => {
    const row = chat.wantedEnd && box.current.querySelector(".before-here");
    if (!row) return;
    chat.wantedEnd = false;
    box.current.scrollTop = row.offsetTop - box.current.clientHeight / 2;
  }, [all.length, shown]);
  const empty = !all.length && !waiting.length && !photos.sending.length;
  return html`<div class="record">
    <div class="log" role="log" aria-live="polite" aria-label="对话记录" tabindex="0" ref=${box} onscroll=${onscroll}>
      <div class="inner">
        ${empty && html`<${Welcome} chat=${chat}/>`}
        ${all.length > shown &&
        html`<button type="button" class="quiet earlier" onclick=${() => setShown(shown + SHOWN_AT_ONCE)}>更早的消息</button>`}
        ${chat.earlier.length > 0 && all.length <= shown &&
        html`<button type="button" class="quiet earlier" onclick=${onEarlier}>查看之前的对话</button>`}
        <ul>
          ${rowsOf(chat, shown, big)}
          ${waiting.map((entry) => waitingRow(chat, entry))}
          ${photos.sending.map((entry) => html`<${SendingPhoto} key=${entry.key} entry=${entry} photos=${photos}/>`)}
        </ul>
      </div>
    </div>
    ${missed && html`<button type="button" class="new-below" onclick=${toEnd}><${DownIcon}/>新消息</button>`}
  </div>`;
}
