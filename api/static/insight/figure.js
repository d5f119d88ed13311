/* One figure as a tile: what it is called, its value, how it has moved (colour, arrow and words), and its definition. */
const ARROWS = { up: "▲", down: "▼" };
const VERDICTS = { good: "变好", bad: "变差", none: "" };

/* A question mark that opens what something means. Esc or a click elsewhere closes it. */
function What({ name, text }) {
  const [open, setOpen] = useState(false);
  const root = useRef(null);
  const id = useRef("what" + newId().slice(0, 8)).current;
  useEffect(() => {
    if (!open) return undefined;
    const away = (event) => !root.current?.contains(event.target) && setOpen(false);
    document.addEventListener("mousedown", away);
    return () => document.removeEventListener("mousedown", away);
  }, [open]);
  if (!text) return null;
  return html`<span class="what" ref=${root} onkeydown=${(event) => event.key === "Escape" && setOpen(false)}>
    <button type="button" class="bare what-mark" aria-label=${"「" + name + "」怎么算的"} aria-expanded=${String(open)} aria-controls=${id} onclick=${() => setOpen(!open)}>?</button>
    <span class="what-box" id=${id} role="note" hidden=${!open}>${text}</span></span>`;
}

/* How it was in as many days before; where the server does not say by how much it says why, and that stands alone. */
function Change({ figure, days }) {
  const before = "前" + (days === 1 ? "一天" : days + "天");
  if (figure.value === null || figure.value === undefined) return null;
  if (figure.previous === null || figure.previous === undefined) return html`<p class="figure-change">${before}没有数据可比</p>`;
  const verdict = VERDICTS[figure.verdict] || "";
  return html`<p class=${"figure-change " + (figure.verdict || "none")}>${movedBy(figure) && html`<span class="arrow" aria-hidden="true">${figure.value > figure.previous ? ARROWS.up : ARROWS.down}</span>比${before} `}${figure.change_text}${verdict && html` <span class="verdict-word">${verdict}</span>`}</p>`;
}

function Figure({ figure, days }) {
  const text = textOf(figure);
  const none = figure.value === null || figure.value === undefined;
  return html`<li class=${"figure " + (figure.verdict || "none")}>
    <div class="figure-head"><h3 class="figure-name">${figure.name}</h3><${What} name=${figure.name} text=${figure.definition}/></div>
    ${figure.rows && !none
      ? html`<button type="button" class=${"figure-value num" + (text.length > 8 ? " long" : "")} aria-label=${figure.name + " " + text + "，打开明细"} onclick=${() => openRows(figure.rows)}>${text}<${Glyph} name="chevron"/></button>`
      : html`<p class=${"figure-value num" + (none ? " none" : text.length > 8 ? " long" : "")}>${text}</p>`}
    <${Change} figure=${figure} days=${days}/>${figure.aim_text && html`<p class="figure-aim">${figure.aim_text}</p>`}</li>`;
}

const Figures = ({ figures, days, label }) => figures.length > 0 && html`<ul class=${"figures of-" + Math.min(figures.length, 12)} aria-label=${label}>${figures.map((one) => html`<${Figure} key=${one.key} figure=${one} days=${days}/>`)}</ul>`;
