/* Short messages at the foot of the page, and words for screen readers alone. */
const toasts = { list: [], changed: () => {}, spoken: "" };

/* tone: info, good, bad. Bad news stay longer. */
function toast(text, tone = "info", action = null) {
  if (!text || toasts.list.some((one) => one.text === text)) return;
  const one = { key: newId(), text, tone, action };
  toasts.list = [...toasts.list.slice(-3), one];
  toasts.changed();
  setTimeout(() => dropToast(one), tone === "bad" ? 9000 : 4500);
}

function dropToast(one) {
  toasts.list = toasts.list.filter((other) => other !== one);
  toasts.changed();
}

const failed = (error) => toast(reasonWords(error), "bad");

function announce(text) {
  toasts.spoken = text;
  toasts.changed();
}

const Toasts = () => html`
  <div class="toasts" role="region" aria-label="提示">
    <div role="alert">${toasts.list.filter((one) => one.tone === "bad").map(toastLine)}</div>
    <div role="status">${toasts.list.filter((one) => one.tone !== "bad").map(toastLine)}</div>
    <p class="sr" aria-live="polite">${toasts.spoken}</p>
  </div>`;

const toastLine = (one) => html`
  <div key=${one.key} class=${"toast " + one.tone}>
    <span>${one.text}</span>
    ${one.action && html`<button type="button" class="link" onclick=${() => (dropToast(one), one.action.run())}>${one.action.label}</button>`}
    <button type="button" class="bare" aria-label="关闭提示" onclick=${() => dropToast(one)}><${CloseIcon}/></button>
  </div>`;
