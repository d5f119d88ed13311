/* Choosing an intent by typing: its Chinese label, its English key, or the first letters of its pinyin (tdbx: 停电报修). */
const LETTER_STARTS = "阿八嚓哒妸发旮哈讥咔垃痳拏噢妑七呥扨它穵夕丫帀";
const LETTERS_THERE = "abcdefghjklmnopqrstwxyz";
const pinyinOrder = new Intl.Collator("zh-CN-u-co-pinyin");

/* The first letters of the pinyin of a text; the browser knows the order of the characters, and so where they stand. */
function initialsOf(text) {
  return [...text].map((char) => {
    if (!/[\u4e00-\u9fff]/.test(char)) return /[a-z0-9]/i.test(char) ? char.toLowerCase() : "";
    let place = 0;
    while (place + 1 < LETTER_STARTS.length && pinyinOrder.compare(char, LETTER_STARTS[place + 1]) >= 0) place++;
    return LETTERS_THERE[place];
  }).join("");
}

const knownIntents = new Map(); // key -> {label, initials}

function searchable(intent) {
  const known = knownIntents.get(intent.key);
  if (known?.label === intent.label) return known;
  const made = { label: intent.label, initials: initialsOf(intent.label) };
  knownIntents.set(intent.key, made);
  return made;
}

/* The better the fit, the smaller; null: none. */
function fitOf(intent, typed) {
  const { initials } = searchable(intent);
  const places = [intent.label.indexOf(typed), initials.indexOf(typed), intent.key.indexOf(typed.replace(/\s+/g, "_"))];
  const found = places.map((place, i) => (place < 0 ? null : (place ? 10 : 0) + i)).filter((fit) => fit !== null);
  return found.length ? Math.min(...found) : null;
}

/* What fits what was typed; `likely` keys stand first where nothing was typed. */
function fitting(intents, typed, likely = []) {
  const text = typed.trim().toLowerCase();
  if (!text) {
    const first = likely.map((key) => intents.find((one) => one.key === key)).filter(Boolean);
    return [...first, ...intents.filter((one) => !first.includes(one))];
  }
  return intents.map((one) => [fitOf(one, text), one]).filter(([fit]) => fit !== null).sort((a, b) => a[0] - b[0]).map(([, one]) => one);
}

/* A box to type in with a list under it; arrows move, Enter takes. `take(intent)`; the box keeps the focus. */
function IntentBox({ intents, likely, take, boxRef, disabled }) {
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const list = fitting(intents, typed, likely).slice(0, 60);
  const here = Math.min(at, list.length - 1);
  const choose = (intent) => {
    if (!intent || disabled || (!typed.trim() && !likely.length && !at)) return; /* Enter alone chooses nothing by chance */
    setTyped("");
    setAt(0);
    take(intent);
  };
  const onkeydown = (event) => {
    if (event.isComposing || event.altKey) return;
    const to = { ArrowDown: here + 1, ArrowUp: here - 1 }[event.key];
    if (to !== undefined && list.length) setAt((to + list.length) % list.length);
    else if (event.key === "Enter") event.repeat || choose(list[here]); /* a key held down labels one message, not all */
    else return;
    event.preventDefault();
  };
  useEffect(() => {
    document.getElementById("intent-" + here)?.scrollIntoView({ block: "nearest" });
  }, [here]);
  return html`<div class="intent-box"><label for="intent-typed">应该理解为</label>
    <input id="intent-typed" ref=${boxRef} role="combobox" aria-expanded="true" aria-controls="intent-options" aria-activedescendant=${list.length ? "intent-" + here : null} aria-autocomplete="list" autocomplete="off"
      placeholder="中文、拼音首字母或英文" value=${typed} oninput=${(event) => (setTyped(event.target.value), setAt(0))} onkeydown=${onkeydown}/>
    <ul id="intent-options" role="listbox" aria-label="意图">${list.map((one, i) => html`<li key=${one.key} id=${"intent-" + i} role="option" aria-selected=${String(i === here)} onmousedown=${(event) => (event.preventDefault(), choose(one))}><span>${one.label}</span><code>${one.key}</code></li>`)}</ul>
    ${!list.length && html`<p class="nothing">没有这样的意图；可以写成标准问答</p>`}</div>`;
}
