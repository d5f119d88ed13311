"use strict";
// The phone: whose it is, what it shows, what its owner does. All of it goes through the control API of the fake.

const $ = (id) => document.getElementById(id);
const ACCOUNT = { name: "" };
const PLACES = [
  ["光谷步行街", "湖北省武汉市洪山区珞喻路726号光谷步行街", 30.50612, 114.39834],
  ["汉阳钟家村小区3栋", "湖北省武汉市汉阳区鹦鹉大道钟家村小区3栋", 30.55012, 114.26431],
  ["江汉路地铁站", "湖北省武汉市江汉区江汉路江汉路地铁站", 30.58133, 114.28937],
  ["武昌徐东大街", "湖北省武汉市武昌区徐东大街120号", 30.58842, 114.34566],
  ["西湖文三路", "浙江省杭州市西湖区文三路478号", 30.27921, 120.12605],
  ["江夏纸坊街", "湖北省武汉市江夏区纸坊街兴新街9号", 30.37578, 114.32139],
];
const ICONS = {
  照片: '<rect x="3" y="5" width="18" height="14" rx="2"/><path d="M3 16l5-5 4 4 3-3 6 5"/><circle cx="16" cy="9" r="1.4"/>',
  位置: '<path d="M12 21s7-6 7-11a7 7 0 1 0-14 0c0 5 7 11 7 11z"/><circle cx="12" cy="10" r="2.5"/>',
  语音: '<rect x="9" y="3" width="6" height="11" rx="3"/><path d="M5 11a7 7 0 0 0 14 0M12 18v3"/>',
  扫一扫: '<path d="M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M4 12h16"/>',
};
let people = [], me = null, last = 0, mark = "", menu = { button: [] }, menuId = 0, lastAt = 0, polling = null;
let writes = true, draft = "", panel = false, open = -1, seen = new Set(), footState = "";

async function ask(what, body) {
  const init = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(`/_fake/${what}`, init);
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

function toast(words) {
  $("toast").textContent = words;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $("toast").textContent = ""; }, 2500);
}

async function attempt(work) {
  try { return await work(); } catch (error) { toast(error.message); return null; }
}

const act = (what, more = {}) => attempt(() => ask("act", { do: what, openid: me.openid, wait: false, ...more }));

// --- whose phone

function listPeople() {
  for (const id of ["people-wide", "people-narrow"]) {
    $(id).replaceChildren(...people.map((person, index) => {
      const item = make("li"), button = make("button", "person");
      const words = make("span", "", person.name);
      words.append(make("small", "", person.following ? "已关注" : "未关注"));
      button.append(face(person.name, index), words);
      button.setAttribute("aria-pressed", String(me?.openid === person.openid));
      button.addEventListener("click", () => { $("people-sheet").close(); be(person); });
      item.append(button);
      return item;
    }));
  }
}

function be(person) {
  me = person;
  localStorage.setItem("fake-wechat-user", person.openid);
  last = 0; mark = ""; lastAt = 0; panel = false; open = -1; draft = ""; footState = ""; seen = new Set();
  $("items").replaceChildren();
  listPeople();
  polling?.abort();
  poll();
}

async function poll() {
  const mine = polling = new AbortController();
  while (!mine.signal.aborted) {
    try {
      const query = new URLSearchParams({ openid: me.openid, after: last, wait: mark ? 20 : 0, seen: mark });
      const answer = await fetch(`/_fake/screen?${query}`, { signal: mine.signal });
      const found = await answer.json();
      if (mine.signal.aborted) return;
      take(found);
    } catch (error) {
      if (mine.signal.aborted) return;
      $("title").textContent = "未连接…";
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

async function take(found) {
  mark = found.mark;
  if (last && found.user.shown === 0) { last = 0; lastAt = 0; seen = new Set(); $("items").replaceChildren(); }  // it was started anew
  for (const one of found.shown) draw(one, found.now);
  Object.assign(me, found.user);
  $("title").textContent = me.typing ? "对方正在输入…" : ACCOUNT.name;
  if (menuId !== found.user.menu) { menuId = found.user.menu; menu = await ask("menu"); writes = menu.button.length === 0; open = -1; }
  drawFoot();
  listPeople();
}

// --- the screen

function draw(one, now) {
  if (seen.has(one.n)) return;
  seen.add(one.n);
  last = Math.max(last, one.n);
  const log = $("log"), items = $("items");
  if (one.at - lastAt > 300) items.append(note(clock(one.at, now)));
  lastAt = one.at;
  if (one.way === "notice" || one.type === "system") items.append(note(one.content.content));
  else if (one.way === "template" || one.way === "subscription") items.append(notice(one));
  else items.append(bubble(one));
  log.scrollTop = log.scrollHeight;
}

function note(words) {
  const item = make("li", "note");
  item.append(make("span", "", words));
  return item;
}

function notice(one) {
  const item = make("li");
  const opens = one.content.url ? () => tapped({ url: one.content.url }) : null;
  item.append(card(one.content.title, one.content.rows, ACCOUNT.name, opens));
  return item;
}

function bubble(one) {
  const own = one.way === "own", item = make("li", own ? "own" : "");
  const made = make("div", "bubble");
  made.setAttribute("aria-label", own ? "我" : ACCOUNT.name);
  made.setAttribute("role", "group");
  fill(made, one, tapped, (url) => { $("photo-large").src = url; $("photo-sheet").showModal(); });
  item.append(own ? face(me.name, people.findIndex((person) => person.openid === me.openid)) : face(ACCOUNT.name, -1), made);
  made.querySelectorAll("img").forEach((image) => image.addEventListener("load", () => { $("log").scrollTop = $("log").scrollHeight; }));
  return item;
}

function tapped(target) {
  if (target.url !== undefined) return page(target.url);
  return attempt(() => ask("tap", { openid: me.openid, target, wait: false }));
}

// A page opens as in WeChat: whoever it asks for the user is told this phone's.
function page(url) {
  if (!/^https?:\/\//.test(url)) return toast("这个链接只能在微信里打开");
  document.cookie = `fake_wechat_user=${me.openid}; path=/connect; SameSite=Lax`;
  window.open(url, "_blank", "noopener,width=390,height=844");
  return null;
}

// --- the foot: menu, or a line to write

function drawFoot() {
  const state = JSON.stringify([me.openid, me.following, menuId, writes, panel, open]);
  if (state === footState) return;
  footState = state;
  const parts = me.following ? (writes ? [writing(), ...(panel ? [extras()] : [])] : [menuLine()]) : [invitation()];
  const focused = $("foot").contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  $("foot").replaceChildren(...parts);
  if (focused) $("foot").querySelector(`[aria-label="${focused}"]`)?.focus();
  $("log").scrollTop = $("log").scrollHeight;
}

function icon(label, drawing, click) {
  const made = make("button", "icon");
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true">${drawing}</svg>`;
  made.addEventListener("click", click);
  return made;
}

function invitation() {
  const made = make("div", "follow"), button = make("button", "green", "关注公众号");
  button.addEventListener("click", () => act("follow"));
  made.append(make("p", "", `${me.name} 还没有关注“${ACCOUNT.name}”`), button, scanButton());
  return made;
}

function scanButton() {
  const made = make("button", "plain", "扫一扫进入");
  made.addEventListener("click", () => $("scan-sheet").showModal());
  return made;
}

function writing() {
  const line = make("form", "line"), box = make("textarea"), send = make("button", "green", "发送");
  box.rows = 1; box.value = draft; box.maxLength = 2000;
  box.setAttribute("aria-label", "输入消息");
  const fit = () => {
    draft = box.value;
    box.style.height = "auto"; box.style.height = `${box.scrollHeight}px`;
    send.hidden = !box.value.trim();
    plus.hidden = !send.hidden;
  };
  const plus = icon("更多功能", '<circle cx="12" cy="12" r="9"/><path d="M12 8v8M8 12h8"/>', () => { panel = !panel; drawFoot(); });
  plus.setAttribute("aria-expanded", String(panel));
  box.addEventListener("input", fit);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); line.requestSubmit(); }
  });
  line.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!box.value.trim()) return;
    act("say", { text: box.value });
    box.value = "";
    fit();
  });
  if (menu.button.length) line.append(icon("显示菜单", '<path d="M4 7h16M4 12h16M4 17h16"/>', () => { writes = false; panel = false; drawFoot(); }));
  line.append(box, send, plus);
  fit();
  return line;
}

function extras() {
  const made = make("div", "panel");
  const does = {
    照片: () => $("file").click(), 位置: () => $("place-sheet").showModal(),
    语音: () => $("voice-sheet").showModal(), 扫一扫: () => $("scan-sheet").showModal(),
  };
  for (const [name, click] of Object.entries(does)) {
    const button = make("button"), square = make("span");
    button.type = "button";
    square.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true">${ICONS[name]}</svg>`;
    button.append(square, name);
    button.addEventListener("click", click);
    made.append(button);
  }
  return made;
}

function menuLine() {
  const made = make("div", "menu-line");
  made.append(icon("打字", '<rect x="3" y="6" width="18" height="12" rx="2"/><path d="M6 10h.01M10 10h.01M14 10h.01M18 10h.01M8 14h8"/>',
    () => { writes = true; open = -1; drawFoot(); $("foot").querySelector("textarea")?.focus(); }));
  menu.button.forEach((top, index) => made.append(topButton(top, index)));
  return made;
}

function topButton(top, index) {
  const many = top.sub_button?.length > 0, made = make("div", many ? "top many" : "top"), button = make("button", "", top.name);
  button.type = "button";
  if (many) button.setAttribute("aria-expanded", String(open === index));
  button.addEventListener("click", () => {
    if (!many) return press(top);
    open = open === index ? -1 : index;
    drawFoot();
    if (open >= 0) $("foot").querySelector(".sub button")?.focus(); else $("foot").querySelectorAll(".top > button")[index].focus();
    return null;
  });
  made.append(button);
  if (many && open === index) made.append(subMenu(top.sub_button, index));
  return made;
}

function subMenu(buttons, index) {
  const sub = make("div", "sub");
  for (const one of buttons) {
    const button = make("button", "", one.name);
    button.type = "button";
    button.addEventListener("click", () => { open = -1; drawFoot(); press(one); });
    sub.append(button);
  }
  sub.addEventListener("keydown", (event) => {
    const all = [...sub.children], at = all.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); all[(at + step + all.length) % all.length].focus(); }
    if (event.key === "Escape") { open = -1; drawFoot(); $("foot").querySelectorAll(".top > button")[index]?.focus(); }
  });
  return sub;
}

async function press(button) {
  const done = await attempt(() => ask("press", { openid: me.openid, name: button.key ?? button.name, wait: false }));
  if (done?.url) page(done.url);
}

// --- what is behind the three dots

const TOOLS = [
  ["取消关注", async () => { if (me.following) await act("unfollow"); }],
  ["同意收一条停电订阅通知", async () => { await ask("subscribe", { openid: me.openid, template_id: "FAKE-outage", times: 1 }); toast("已同意一条停电订阅通知"); }],
  ["拒收停电订阅通知", async () => { await ask("subscribe", { openid: me.openid, template_id: "FAKE-outage", end: true }); toast("已拒收停电订阅通知"); }],
  ["时间快进 49 小时", async () => { await ask("clock", { advance: 49 * 3600 }); toast("客服消息的 48 小时已过"); }],
  ["微信接口中断", async (button) => {
    const down = button.getAttribute("aria-pressed") !== "true";
    await ask("down", { how: down ? "refuse" : null });
    document.querySelectorAll(".tools button.down").forEach((one) => one.setAttribute("aria-pressed", String(down)));
    toast(down ? "主动消息现在发不出去" : "接口已恢复");
  }, "down"],
];

function listTools() {
  for (const id of ["tools-wide", "tools-narrow"]) {
    $(id).replaceChildren(...TOOLS.map(([name, click, kind]) => {
      const button = make("button", kind ?? "", name);
      button.type = "button";
      if (kind) button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => attempt(() => click(button)));
      return button;
    }));
  }
}

const within = (seconds) => (seconds > 3600 ? `${Math.ceil(seconds / 3600)} 小时` : `${Math.ceil(seconds)} 秒`);

function facts() {
  const kinds = { message: "发消息后", tap: "点菜单后", follow: "关注后", scan: "扫码后", pay: "支付后" };
  const left = me.quotas.map((one) => `${kinds[one.kind]}还可 ${one.left ?? "不限"} 条（${within(one.seconds)}内）`);
  const rows = [["手机主人", me.name], ["OpenID", me.openid], ["关注", me.following ? "是" : "否"], ["客服消息", left.join("；") || "现在不能发"]];
  $("facts").replaceChildren(...rows.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
}

// --- sheets

$("back").addEventListener("click", () => { listPeople(); $("people-sheet").showModal(); });
$("more").addEventListener("click", () => { facts(); $("more-sheet").showModal(); });
$("voice-sheet").addEventListener("close", () => {
  const words = $("voice-words").value.trim();
  if ($("voice-sheet").returnValue === "send") {
    act("voice", { seconds: Math.max(1, Math.ceil(words.length / 4)), recognition: $("voice-known").checked ? words : "" });
  }
  $("voice-sheet").returnValue = ""; $("voice-words").value = "";
});
$("scan-sheet").addEventListener("close", () => {
  if ($("scan-sheet").returnValue === "send") act("scan", { scene: $("scan-scene").value.trim() });
  $("scan-sheet").returnValue = "";
});
$("file").addEventListener("change", () => {
  const [file] = $("file").files, reader = new FileReader();
  if (!file) return;
  reader.onload = () => act("photo", { data: reader.result.split(",")[1], media_type: file.type });
  reader.readAsDataURL(file);
  $("file").value = "";
});
$("places").replaceChildren(...PLACES.map(([name, label, latitude, longitude]) => {
  const button = make("button", "", name);
  button.type = "button";
  button.append(make("small", "", label));
  button.addEventListener("click", () => { $("place-sheet").close(); act("location", { label, latitude, longitude }); });
  return button;
}));

async function begin() {
  ACCOUNT.name = $("more-title").textContent = (await ask("settings")).account_name;
  people = await ask("users");
  listTools();
  const ticket = new URLSearchParams(location.search).get("scan");
  const before = localStorage.getItem("fake-wechat-user");
  be(people.find((person) => person.openid === before) ?? people[0]);
  if (ticket) { history.replaceState(null, "", "/"); act("scan", { ticket }); }
}

begin();
