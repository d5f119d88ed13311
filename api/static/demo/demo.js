/* The demonstration page: who is logged in, and five sentences to begin with. */
"use strict";

const list = document.getElementById("customers");
const state = document.getElementById("state");
const NOBODY = { id: "", name: "不登录", label: "访客", accounts: [], story: "没有身份，先只能问公共问题。想试绑定户号：登录一位客户，问“我的户号是多少”，再回到这里说“绑定户号”，验证码会显示在本页。" };
const REMEMBERED = "dianfu-demo:customer";

const widgetReady = window.dianfu
  ? Promise.resolve()
  : new Promise((ready) => window.addEventListener("dianfu:ready", ready, { once: true }));

function say(text, failed = false) {
  state.textContent = text;
  state.classList.toggle("failed", failed);
}

function part(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

function choice(customer, chosen) {
  const label = part("label", "customer", "");
  const input = document.createElement("input");
  input.type = "radio";
  input.name = "customer";
  input.value = customer.id;
  input.checked = chosen;
  input.addEventListener("change", () => enter(customer, true));
  label.append(input, part("b", "", customer.name), part("span", "label", customer.label));
  if (customer.accounts.length) label.append(part("span", "accounts", "户号 " + customer.accounts.join("、")));
  label.append(part("span", "story", customer.story));
  return label;
}

async function tokenFor(id) {
  const response = await fetch("/demo/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ id }),
  });
  if (!response.ok) throw new Error("登录没有成功（" + response.status + "）");
  return (await response.json()).token;
}

/* Only the last choice counts when somebody clicks quickly through the list. */
let turn = 0;

async function enter(customer, open) {
  const mine = ++turn;
  try {
    const token = customer.id ? await tokenFor(customer.id) : null;
    await widgetReady;
    if (mine !== turn) return;
    if (token) window.dianfu.login(token);
    else window.dianfu.logout();
    sessionStorage.setItem(REMEMBERED, customer.id);
    say(token ? "现在您是 " + customer.name + "（" + customer.label + "）" : "现在您没有登录");
    if (open) window.dianfu.open();
  } catch (error) {
    if (mine === turn) say(error.message + "，请再试一次", true);
  }
}

async function showCustomers() {
  const response = await fetch("/demo/customers");
  if (!response.ok) throw new Error("客户名单没有读到（" + response.status + "）");
  const customers = [...(await response.json()), NOBODY];
  const last = customers.find((one) => one.id === (sessionStorage.getItem(REMEMBERED) ?? "")) || NOBODY;
  list.replaceChildren(...customers.map((one) => choice(one, one === last)));
  await enter(last, false);
}

list.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("questions").addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button || !getSelection().isCollapsed) return;
  await widgetReady;
  window.dianfu.ask(button.textContent);
});
showCustomers().catch((error) => {
  list.replaceChildren(part("p", "", ""));
  say(error.message + "，请刷新页面", true);
});

/* A customer's login lasts for a while only; a new one is had for the asking, but not in a tight circle. */
let renewed = 0;

window.addEventListener("dianfu:login-expired", () => {
  const id = new FormData(list).get("customer");
  if (!id || Date.now() - renewed < 60000) return;
  renewed = Date.now();
  tokenFor(id).then((token) => window.dianfu.login(token), (error) => say(error.message, true));
});

/* The telephone of the demonstration: the codes of the conversations that this browser has begun. */
const phone = document.getElementById("phone");
const codes = document.getElementById("codes");
const CODES_EVERY_MS = 2000;
let shownCodes = "";

function codeLine({ code, phone: number, sent_at: at }) {
  const line = part("li", "", "");
  const send = part("button", "", "发到对话里");
  send.type = "button";
  send.addEventListener("click", () => window.dianfu.ask(code));
  const time = new Date(at).toLocaleTimeString("zh-CN", { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit" });
  line.append(part("b", "", code), part("span", "", "发到 " + number + "，" + time), send);
  return line;
}

const over = new Set();

function sessionTokens() {
  const slots = Object.keys(localStorage).filter((key) => /^dianfu:.+:session$/.test(key));
  return slots.map((key) => JSON.parse(localStorage.getItem(key)).token).filter((token) => !over.has(token));
}

async function codesOf(token) {
  const response = await fetch("/demo/codes", { headers: { Authorization: "Bearer " + token }, cache: "no-store" });
  if (response.status === 401) over.add(token);
  return response.ok ? response.json() : [];
}

async function showCodes() {
  if (document.visibilityState !== "visible") return;
  const found = (await Promise.all(sessionTokens().map(codesOf))).flat();
  found.sort((a, b) => (a.sent_at < b.sent_at ? 1 : -1));
  const now = JSON.stringify(found);
  if (now === shownCodes) return;
  shownCodes = now;
  codes.replaceChildren(...found.map(codeLine));
  phone.hidden = found.length === 0;
}

setInterval(() => showCodes().catch(() => {}), CODES_EVERY_MS);
