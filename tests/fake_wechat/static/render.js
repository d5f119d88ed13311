"use strict";
// How things on the screen are drawn. Words of others are only ever set as text.

const COLOURS = ["#3f6fb5", "#a3552b", "#8a4a9e", "#2f7d6b", "#9a3b52", "#5d6b2a"];
const MENU = /^weixin:\/\/bizmsgmenu\?(.*)$/;

function make(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function face(name, index) {
  const made = make("span", "face", name.replace(/^[^\p{L}]*/u, "").slice(0, 1));
  made.style.background = index < 0 ? "#07924a" : COLOURS[index % COLOURS.length];
  made.setAttribute("aria-hidden", "true");
  return made;
}

function clock(seconds, now) {
  const at = new Date(seconds * 1000), today = new Date(now * 1000);
  const time = at.toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit", hour12: false });
  const days = Math.round((new Date(today).setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 864e5);
  if (days === 0) return time;
  return days === 1 ? `昨天 ${time}` : `${at.getMonth() + 1}月${at.getDate()}日 ${time}`;
}

// WeChat knows one tag in a text: the link. Everything else stands there as it was sent.
function linked(into, text, act) {
  const pattern = /<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')[^>]*>([\s\S]*?)<\/a>/g;
  let last = 0;
  for (const found of text.matchAll(pattern)) {
    into.append(text.slice(last, found.index));
    const made = make("button", "link", found[3]);
    made.type = "button";
    made.addEventListener("click", () => act(target(found[1] ?? found[2])));
    into.append(made);
    last = found.index + found[0].length;
  }
  into.append(text.slice(last));
}

function target(address) {
  const menu = MENU.exec(address.replaceAll("&amp;", "&"));
  if (!menu) return { url: address.replaceAll("&amp;", "&") };
  const query = new URLSearchParams(menu[1]);
  return { id: query.get("msgmenuid") ?? "", content: query.get("msgmenucontent") ?? "" };
}

function card(title, rows, from, open) {
  const made = make("div", "card");
  made.append(make("div", "from", from), make("h3", "", title));
  const list = make("dl");
  for (const [name, value] of rows) list.append(make("dt", "", name), make("dd", "", value));
  made.append(list);
  if (open) {
    const button = make("button", "open");
    button.type = "button";
    button.append(make("span", "", "查看详情"), make("span", "", "›"));
    button.addEventListener("click", open);
    made.append(button);
  }
  return made;
}

function picture(content, show) {
  const button = make("button"), image = make("img");
  button.type = "button";
  button.setAttribute("aria-label", "看大图");
  image.src = content.url;
  image.alt = "图片";
  button.append(image);
  button.addEventListener("click", () => show(content.url));
  return button;
}

function items(content, act) {
  const parts = [document.createTextNode(content.head_content ?? "")];
  const list = make("span", "menu-items");
  for (const one of content.list) {
    const button = make("button", "", one.content);
    button.type = "button";
    button.addEventListener("click", () => act({ id: String(one.id), content: one.content }));
    list.append(button);
  }
  parts.push(list);
  if (content.tail_content) parts.push(make("span", "tail", content.tail_content));
  return parts;
}

const WAVES = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 9a4 4 0 0 1 0 6M10 6a9 9 0 0 1 0 12M14 3a14 14 0 0 1 0 18"/></svg>';

// Fills the bubble of one thing on the screen; `act` is told what was tapped on, `show` a picture to be seen large.
function fill(bubble, shown, act, show) {
  const content = shown.content;
  if (shown.type === "text") linked(bubble, content.content, act);
  else if (shown.type === "msgmenu") bubble.append(...items(content, act));
  else if (shown.type === "image") { bubble.classList.add("bare"); bubble.append(picture(content, show)); }
  else if (shown.type === "voice") {
    const line = make("span", "voice", `${content.seconds ?? ""}″`);
    line.insertAdjacentHTML("beforeend", WAVES);
    bubble.append(line);
    if (content.content) bubble.append(make("span", "spoken", `识别：${content.content}`));
  } else if (shown.type === "location") {
    bubble.classList.add("bare");
    const map = make("div", "map");
    map.append(make("b", "", content.label), make("small", "", `${content.latitude}, ${content.longitude}`), make("i"));
    bubble.append(map);
  } else if (shown.type === "news") {
    const [one] = content.articles;
    bubble.classList.add("bare");
    bubble.append(card(one.title, one.description ? [["", one.description]] : [], "", one.url ? () => act({ url: one.url }) : null));
  } else bubble.append(shown.text || `[${shown.type}]`);
}
