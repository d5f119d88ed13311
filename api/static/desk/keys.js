/* Keyboard: the whole console without a mouse. Codes, not letters, because Alt writes other letters on some keyboards. */
const KEYS = [
  ["Alt 1 … 9", "切换到我的第 1 … 9 个会话"],
  ["Alt ↑ / ↓", "上一个 / 下一个会话"],
  ["Alt A", "接入派给我的会话"],
  ["Alt R", "回到输入框"],
  ["Alt N", "回复 / 内部备注 切换"],
  ["Alt T", "转接"],
  ["Alt H", "求助班长"],
  ["Alt P", "暂停 / 恢复计时"],
  ["Alt O", "建工单"],
  ["Alt C", "发卡片"],
  ["Alt E", "结束服务，填写小结"],
  ["Alt I", "到会话列表"],
  ["Alt U", "到客户资料"],
  ["Alt M", "提示音 开 / 关"],
  ["/", "输入框里打开常用语"],
  ["Enter", "发送；Shift Enter 换行"],
  ["Esc", "关闭对话框、常用语"],
  ["?", "显示本页（输入框里用 Alt /）"],
];

const KeysDialog = ({ close }) => html`<${Dialog} title="键盘操作" close=${close} size="medium">
  <dl class="keys">${KEYS.map(([key, what]) => html`<div><dt>${key.split(" ").map((part) => (/^[…/]$/.test(part) && key !== "/" ? part : html`<kbd>${part}</kbd>`))}</dt><dd>${what}</dd></div>`)}</dl>
  <p class="hint">Mac 上 Alt 就是 Option。</p><//>`;

function switchBy(desk, step) {
  const all = [...desk.inbox.mine, ...desk.inbox.wrap_up];
  if (!all.length) return;
  const here = all.findIndex((one) => one.conversation_id === desk.open);
  desk.show(all[(here + step + all.length) % all.length].conversation_id);
}

/* What a key does; `held`: only while the open conversation is mine. */
const DEEDS = {
  KeyA: { run: (desk) => desk.acceptFirst() },
  KeyI: { run: () => document.querySelector(".case.open .case-button, .case .case-button, .inbox-search input")?.focus() },
  KeyU: { run: () => document.querySelector(".side-scroll")?.focus() },
  KeyR: { run: (desk) => desk.composer?.focus() },
  KeyN: { run: (desk) => desk.composer?.toggle() },
  KeyM: { run: (desk) => desk.mute() },
  KeyT: { held: true, run: (desk, talk) => desk.ask(TransferDialog, { talk }) },
  KeyH: { held: true, run: (desk, talk) => askHelp(desk, talk) },
  KeyP: { held: true, run: (desk, talk) => (talk.case.paused_reason ? desk.resume(talk) : desk.ask(PauseDialog, { talk })) },
  KeyO: { held: true, run: (desk, talk) => desk.ask(FileOrderDialog, { talk }) },
  KeyC: { held: true, run: (desk, talk) => desk.ask(CardDialog, { talk }) },
  KeyE: { run: (desk, talk) => (talk?.mine && talk.case.mode === "wrap_up" ? desk.wrapUp(talk.id) : talk?.writable && desk.finish(talk)) },
  ArrowUp: { run: (desk) => switchBy(desk, -1) },
  ArrowDown: { run: (desk) => switchBy(desk, 1) },
  Slash: { run: (desk) => desk.ask(KeysDialog) },
};

const isWriting = (node) => /^(INPUT|TEXTAREA|SELECT)$/.test(node?.tagName || "");

function listenToKeys(desk) {
  document.addEventListener("keydown", (event) => {
    if (!desk.ready || desk.dialog || openDialogs.length || event.isComposing) return;
    if (event.key === "?" && !isWriting(event.target) && !event.altKey && !event.ctrlKey) {
      event.preventDefault();
      desk.ask(KeysDialog);
      return;
    }
    if (!event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
    const deed = DEEDS[event.code];
    if (!digit && !deed) return;
    event.preventDefault();
    if (digit) {
      const one = desk.inbox.mine[Number(digit[1]) - 1];
      if (one) desk.show(one.conversation_id);
    } else if (!deed.held || desk.talk?.writable) deed.run(desk, desk.talk);
  });
}

Object.assign(Desk.prototype, {
  mute() {
    alerts.muted = !alerts.muted;
    if (!alerts.muted) this.alarm();
    toast(alerts.muted ? "提示音已关" : "提示音已开");
    this.changed();
  },
});
