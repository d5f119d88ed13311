/* Words as people read them: text without markup, times and days in China's own zone. */

/* The service hotline is the only thing in a text that becomes a link; addresses in messages never do. */
const Words = ({ text }) =>
  String(text ?? "")
    .split(/(\d+)/)
    .map((piece) => (piece === HOTLINE ? html`<a href=${"tel:" + HOTLINE}>${HOTLINE}</a>` : piece));

const ZONE = "Asia/Shanghai";
const clock = new Intl.DateTimeFormat("zh-CN", { timeZone: ZONE, hour: "2-digit", minute: "2-digit", hour12: false });
const calendar = new Intl.DateTimeFormat("zh-CN", { timeZone: ZONE, year: "numeric", month: "numeric", day: "numeric" });

function validDate(at) {
  const date = new Date(at ?? NaN);
  return Number.isNaN(date.getTime()) ? null : date;
}

const timeOf = (at) => (validDate(at) ? clock.format(validDate(at)) : "");

function dayOf(at) {
  const date = validDate(at);
  if (!date) return "";
  const day = calendar.format(date);
  if (day === calendar.format(new Date())) return "今天";
  if (day === calendar.format(new Date(Date.now() - 86400000))) return "昨天";
  const [year, month, number] = day.split("/");
  const short = month + "月" + number + "日";
  return day.startsWith(calendar.format(new Date()).split("/")[0]) ? short : year + "年" + short;
}

/* The clipboard API needs a secure origin; the old way serves the rest. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const box = document.createElement("textarea");
    box.value = text;
    box.setAttribute("readonly", "");
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    return done;
  }
}

function CopyButton({ text }) {
  const [said, setSaid] = useState("");
  const copy = async () => {
    setSaid((await copyText(text)) ? "已复制" : "复制失败");
    setTimeout(() => setSaid(""), 2500);
  };
  return html`<button type="button" class="quiet" onclick=${copy}><${CopyIcon}/>${said || "复制"}</button>`;
}
