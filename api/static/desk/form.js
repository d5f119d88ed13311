/* Fields of forms: a label, the control, a hint, and what is wrong with it, tied together for screen readers. */
function Field({ label, hint, error, required, children, wide }) {
  const id = useRef("field" + newId().slice(0, 8)).current;
  const more = [hint && id + "hint", error && id + "error"].filter(Boolean).join(" ") || null;
  const control = { id, "aria-describedby": more, "aria-invalid": error ? "true" : null, "aria-required": required ? "true" : null };
  return html`<div class=${"field" + (wide ? " wide" : "")}>
    <label for=${id}>${label}${required && html`<span class="required" aria-hidden="true">必填</span>`}</label>
    ${children(control)}
    ${hint && html`<p class="hint" id=${id + "hint"}>${hint}</p>`}
    ${error && html`<p class="form-error" id=${id + "error"}>${error}</p>`}
  </div>`;
}

const TextField = ({ label, value, set, hint, error, required, lines, type = "text", max, placeholder, first, ...more }) => html`
  <${Field} label=${label} hint=${hint} error=${error} required=${required} wide>
    ${(control) =>
      lines
        ? html`<textarea ...${control} rows=${lines} maxlength=${max} placeholder=${placeholder} data-first=${first} value=${value} oninput=${(e) => set(e.target.value)}></textarea>`
        : html`<input ...${control} ...${more} type=${type} maxlength=${max} placeholder=${placeholder} data-first=${first} value=${value} oninput=${(e) => set(e.target.value)}/>`}
  <//>`;

/* options: [{value, label}] */
const SelectField = ({ label, value, set, options, hint, error, required, none = "请选择" }) => html`
  <${Field} label=${label} hint=${hint} error=${error} required=${required}>
    ${(control) => html`<select ...${control} value=${value} onchange=${(e) => set(e.target.value)}>
      <option value="">${none}</option>
      ${options.map((one) => html`<option value=${one.value} selected=${String(one.value) === String(value)}>${one.label}</option>`)}
    </select>`}
  <//>`;

/* A few choices, all in sight. */
function Choices({ label, name, value, set, options, required }) {
  return html`<fieldset class="choices"><legend>${label}${required && html`<span class="required" aria-hidden="true">必填</span>`}</legend>
    <div>${options.map(
      (one) => html`<label class=${"choice" + (one.value === value ? " chosen" : "")}>
        <input type="radio" name=${name} value=${one.value} checked=${one.value === value} disabled=${one.off} onchange=${() => set(one.value)}/>
        <span>${one.label}</span>${one.note && html`<small>${one.note}</small>`}</label>`,
    )}</div></fieldset>`;
}

/* Lines that are added and taken away: what was done, what is open. `text` is what is typed and not yet added; who
   draws them keeps it, because it must not be lost on the way. */
function Lines({ label, placeholder, values, set, text, setText }) {
  const add = () => {
    if (!text.trim()) return;
    set([...values, text.trim()]);
    setText("");
  };
  const onkeydown = (event) => {
    if (event.key !== "Enter" || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    add();
  };
  return html`<${Field} label=${label} wide>${(control) => html`
    ${values.length > 0 && html`<ul class="lines">${values.map(
      (line, place) => html`<li><span>${line}</span>
        <button type="button" class="bare" aria-label=${"去掉：" + line} onclick=${() => set(values.filter((_, i) => i !== place))}><${CloseIcon}/></button></li>`,
    )}</ul>`}
    <div class="adding"><input ...${control} maxlength="200" placeholder=${placeholder} value=${text} oninput=${(e) => setText(e.target.value)} onkeydown=${onkeydown} onblur=${add}/>
      <button type="button" onclick=${add}><${Glyph} name="plus"/>添加</button></div>`}<//>`;
}

/* A menu under a button: arrows move, Enter takes, Esc closes and gives the focus back. */
function Menu({ label, glyph, text, items, kind = "bare" }) {
  const [open, setOpen] = useState(false);
  const root = useRef(null);
  useEffect(() => {
    if (!open) return undefined;
    const away = (event) => !root.current?.contains(event.target) && setOpen(false);
    document.addEventListener("mousedown", away);
    root.current.querySelector('[role^="menuitem"]')?.focus();
    return () => document.removeEventListener("mousedown", away);
  }, [open]);
  const shut = () => {
    setOpen(false);
    root.current.querySelector("button").focus();
  };
  const onkeydown = (event) => {
    if (!open) return;
    const all = [...root.current.querySelectorAll('[role^="menuitem"]')];
    const here = all.indexOf(document.activeElement);
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) all[(to + all.length) % all.length].focus();
    else if (event.key === "Escape") shut();
    else if (event.key === "Tab") setOpen(false);
    if (to !== undefined || event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  return html`<div class="menu" ref=${root} onkeydown=${onkeydown}>
    <button type="button" class=${kind} aria-haspopup="menu" aria-expanded=${String(open)} aria-label=${label} title=${label} onclick=${() => setOpen(!open)}>
      ${glyph && html`<${Glyph} name=${glyph}/>`}${text}</button>
    ${open && html`<div class="menu-list" role="menu" aria-label=${label}>${items.filter(Boolean).map(
      (item) => item.title ? html`<p class="menu-title">${item.title}</p>` : html`<button type="button" role=${item.checked === undefined ? "menuitem" : "menuitemradio"} aria-checked=${item.checked === undefined ? null : String(item.checked)}
        tabindex="-1" class=${item.tone || ""} onclick=${() => (shut(), item.run())}>
        ${item.dot && html`<i class=${"dot " + item.dot}></i>`}<span>${item.label}</span>${item.key && html`<kbd>${item.key}</kbd>`}</button>`,
    )}</div>`}
  </div>`;
}
