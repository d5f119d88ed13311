/* The place on the page, kept in the address behind the #: tab, span of days, channel, open drawer. So a reload, the
   back button and a link sent to a colleague all show the same. #/service?span=7&channel=wechat&rows=volume */
const SPANS = [["today", "今天", 1], ["yesterday", "昨天", 1], ["7", "近7天", 7], ["30", "近30天", 30], ["custom", "自定义"]];
const CHANNELS = [["", "全部渠道"], ["wechat", "微信公众号"], ["web", "网页"], ["app", "网上国网App"], ["h5", "微信内网页"]];
const KEPT = ["span", "from", "to", "channel"];

function readPlace(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [tab = "service", ...rest] = path.split("/").filter(Boolean).map(decodeURIComponent);
  return { tab, rest, query: new URLSearchParams(query) };
}

function writePlace({ tab, rest = [], query }) {
  const text = query.toString();
  return "#/" + [tab, ...rest].map(encodeURIComponent).join("/") + (text ? "?" + text : "");
}

/* Whether a part of the address can be a day. */
const isDay = (text) => ISO_DAY.test(text || "") && !Number.isNaN(Date.parse(text));

/* The days that are shown: {key, from, to, days}. An address somebody has bent shows the last seven days. */
function spanOf(query) {
  const key = query.get("span") || "7";
  if (key === "custom" && isDay(query.get("from")) && isDay(query.get("to"))) {
    const [from, to] = [query.get("from"), query.get("to")].sort();
    return { key, from, to, days: daysBetween(from, to) };
  }
  if (key === "yesterday") return { key, from: isoDay(1), to: isoDay(1), days: 1 };
  if (key === "today") return { key, from: isoDay(), to: isoDay(), days: 1 };
  const days = key === "30" ? 30 : 7;
  return { key: String(days), from: isoDay(days - 1), to: isoDay(), days };
}

/* What the server is asked for: from, to, and the channel where one is chosen. */
function asked(query) {
  const { from, to } = spanOf(query);
  const found = new URLSearchParams({ from, to });
  if (query.get("channel")) found.set("channel", query.get("channel"));
  return found;
}

/* Opens a place; what is kept (span, channel) goes along unless it is given anew. */
function goTo(tab, { rest = [], change = {}, replace = false } = {}) {
  const { query } = readPlace();
  const next = new URLSearchParams();
  for (const name of KEPT) if (query.get(name)) next.set(name, query.get(name));
  for (const [name, value] of Object.entries(change)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  const hash = writePlace({ tab, rest, query: next });
  if (hash === location.hash) return;
  if (replace) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
  dispatchEvent(new Event("dianfu-place"));
}

/* Changes one thing of the present place, e.g. the channel or the open drawer. */
function adjust(change, { replace = false } = {}) {
  const { tab, rest, query } = readPlace();
  const all = Object.fromEntries([...query].filter(([name]) => !KEPT.includes(name)));
  goTo(tab, { rest, change: { ...all, ...change }, replace });
}

/* Redraws when the place changes, by a click, by typing, or by the back button. */
function usePlace() {
  const [place, setPlace] = useState(readPlace);
  useEffect(() => {
    const moved = () => setPlace(readPlace());
    for (const name of ["popstate", "hashchange", "dianfu-place"]) addEventListener(name, moved);
    return () => {
      for (const name of ["popstate", "hashchange", "dianfu-place"]) removeEventListener(name, moved);
    };
  }, []);
  return place;
}

/* "/v1/insight/rows/volume?from=…&pick=电费" -> what the address behind the # holds of it: "volume?pick=电费". */
function drawerOf(url, more = {}) {
  const { pathname, searchParams } = new URL(url, location.origin);
  const query = new URLSearchParams([...searchParams].filter(([name]) => !["from", "to", "channel"].includes(name)));
  for (const [name, value] of Object.entries(more)) if (value !== undefined && value !== null) query.set(name, value);
  const text = query.toString();
  return pathname.split("/rows/")[1] + (text ? "?" + text : "");
}

const openRows = (url, more) => adjust({ rows: drawerOf(url, more) });
