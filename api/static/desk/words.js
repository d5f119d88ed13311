/* Words of the desk: what the keys of the interface are called, and times as people say them. */
const SKILLS = { repair: "抢修", billing: "电费", business: "业务办理", complaint: "投诉" };
const REASONS = {
  asked: "客户要求人工", danger: "安全险情", failures: "多次没听懂", anger: "情绪激动", complaint: "投诉",
  special_service: "特殊服务", high_risk: "高风险事项", rule: "按规则转入", system_failed: "系统故障", message: "留言", hall: "客户在营业厅",
};
const STATUS = { online: "在线", away: "忙碌", offline: "离线" };
const ROLES = { agent: "坐席", supervisor: "班长", administrator: "管理员" };
const CASE_MODES = { bot: "电小服接待", queued: "排队中", offered: "派单中", human: "人工服务中", wrap_up: "待小结", closed: "已结束" };
const NOTES = { note: "内部备注", transfer: "转接说明", help: "求助班长", whisper: "耳语" };
const PRIORITIES = ["险情", "生命支持", "特殊服务", "投诉", "重点客户", ""];

/* 0:42, 12:05, 1小时08分, 2天3小时 */
function waitWords(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return minutes + ":" + String(whole % 60).padStart(2, "0");
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return hours + "小时" + String(minutes % 60).padStart(2, "0") + "分";
  return Math.floor(hours / 24) + "天" + (hours % 24) + "小时";
}

/* How long a wait is, said to a screen reader. */
function spokenWait(seconds) {
  const minutes = Math.floor(Math.max(0, seconds || 0) / 60);
  return minutes ? minutes + "分钟" : "不到1分钟";
}

const secondsBetween = (from, to) => Math.max(0, (to - new Date(from)) / 1000);

/* 今天 14:05, 11月3日 09:20 */
const momentOf = (at) => (validDate(at) ? (dayOf(at) === "今天" ? "" : dayOf(at) + " ") + timeOf(at) : "");

const skillWord = (key) => SKILLS[key] || key || "";
const reasonOf = (one) => one.reason_text || REASONS[one.reason] || one.reason || "";
const priorityOf = (one) => PRIORITIES[one.priority] || "";
const customerOf = (one) => one.customer?.label || "访客";

/* A flag is a word, or an object with one. */
const flagWord = (flag) => (typeof flag === "string" ? flag : flag.label || flag.title || flag.key || "");

/* What the server has masked carries stars. */
const isMasked = (text) => typeof text === "string" && /[*＊]/.test(text);

/* One line of a long text. */
const brief = (text, most = 60) => {
  const line = String(text ?? "").replace(/\s+/g, " ").trim();
  return line.length > most ? line.slice(0, most) + "…" : line;
};
