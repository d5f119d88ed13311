/* Numbers and days as Chinese managers read them: 1.2万, ¥3,456, 37.5%, 1分05秒, 11月16日. */
const whole = new Intl.NumberFormat("zh-CN", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("zh-CN", { maximumFractionDigits: 2 });
const tenth = new Intl.NumberFormat("zh-CN", { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat("zh-CN", { maximumSignificantDigits: 2 });
const NOTHING = "—";

function plainNumber(value) {
  const size = Math.abs(value);
  if (size >= 1e8) return fine.format(value / 1e8) + "亿";
  if (size >= 1e4) return fine.format(size >= 1e7 ? Math.round(value / 1e4) : Math.round(value / 1e3) / 10) + "万";
  if (Number.isInteger(value) || size >= 1000) return whole.format(value);
  return (size >= 10 ? tenth : size >= 0.1 || !size ? fine : short).format(value);
}

function lengthOfTime(seconds) {
  const all = Math.round(Math.abs(seconds));
  const minus = seconds < 0 ? "-" : "";
  if (all < 60) return minus + all + "秒";
  const [minutes, rest] = [Math.floor(all / 60), all % 60];
  if (minutes < 60) return minus + minutes + "分" + (rest ? String(rest).padStart(2, "0") + "秒" : "");
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minus + hours + "小时" + (minutes % 60 ? (minutes % 60) + "分" : "");
  return minus + fine.format(Math.round(hours / 2.4) / 10) + "天";
}

/* Always one place behind the point, so that they stand under each other; a little is not nothing. */
const percent = new Intl.NumberFormat("zh-CN", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const shareWords = (value) => (value > 0 && value < 0.0005 ? "<0.1%" : value < 1 && value >= 0.9995 ? ">99.9%" : percent.format(value * 100) + "%");
const shareTick = (value) => fine.format(Math.round(value * 1000) / 10) + "%";
const scoreWords = (value) => value.toFixed(2) + "分";

/* Units by the server's key, and by their own name. Shares come as fractions of one. */
const WRITTEN = { "%": shareWords, share: shareWords, 元: (value) => "¥" + plainNumber(value), yuan: (value) => "¥" + plainNumber(value), 秒: lengthOfTime, seconds: lengthOfTime, 分: scoreWords, score: scoreWords };
const UNIT_NAMES = { count: "次", share: "%", seconds: "", 秒: "", 元: "", yuan: "元", messages: "条", cases: "单", customers: "户", orders: "张", score: "分", per_10000: "件/万户", times: "项" };
const unitName = (unit) => UNIT_NAMES[unit] ?? unit ?? "";

/* A value with its unit; what is missing is a dash, never a zero. */
function amountOf(value, unit = "") {
  if (value === null || value === undefined || value === "" || Number.isNaN(value)) return NOTHING;
  if (typeof value !== "number") return String(value);
  const write = WRITTEN[unit];
  const name = unitName(unit);
  return write ? write(value) : plainNumber(value) + (/^[a-z0-9]/i.test(name) ? " " : "") + name;
}

/* The server's own words, but large numbers short: 1.2万条 instead of 12,480 条, ¥4.6亿 instead of nine digits. */
const isMoney = (unit) => unit === "元" || unit === "yuan";
const isShort = (value, unit) => Math.abs(value) >= 1e4 && (isMoney(unit) || !WRITTEN[unit]);
const textOf = ({ value, unit, text }) => (text && !isShort(value, unit) && !(WRITTEN[unit] === lengthOfTime && typeof value === "number") ? text : amountOf(value, unit));

/* Whether the server says by how much: +16.4%, -0.8 个百分点. Else it says why not, in words: 持平, 前期为零, 本期未完. */
const movedBy = ({ change_text: text }) => /^[+-]/.test(text || "");

/* On an axis there is less room. */
const tickOf = (value, unit) => (WRITTEN[unit] === shareWords ? shareTick(value) : WRITTEN[unit] && WRITTEN[unit] !== scoreWords ? WRITTEN[unit](value) : plainNumber(value));

const ISO_DAY = /^(\d{4})-(\d{2})-(\d{2})$/;
const dayFormat = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE });

/* The day in Shanghai, some days back, as 2026-11-16. */
const isoDay = (back = 0, now = Date.now()) => dayFormat.format(new Date(now - back * 86400000));

function dayWords(iso, year = false) {
  const parts = ISO_DAY.exec(iso || "");
  if (!parts) return String(iso ?? "");
  return (year ? Number(parts[1]) + "年" : "") + Number(parts[2]) + "月" + Number(parts[3]) + "日";
}

function spanWords(from, to) {
  if (from === to) return dayWords(from, true);
  return dayWords(from, true) + "—" + dayWords(to, from.slice(0, 4) !== to.slice(0, 4));
}

const daysBetween = (from, to) => Math.round((Date.parse(to) - Date.parse(from)) / 86400000) + 1;

/* Labels of an axis: days short, everything else as it is. */
const shortLabel = (label) => {
  const parts = ISO_DAY.exec(label);
  return parts ? Number(parts[2]) + "-" + parts[3] : String(label);
};

/* A moment as far as it matters: 今天 14:05:09 for the line that says where the figures stand. */
const secondFormat = new Intl.DateTimeFormat("zh-CN", { timeZone: ZONE, hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const toTheSecond = (at) => (validDate(at) ? secondFormat.format(validDate(at)) : "");
