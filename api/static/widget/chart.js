/* Electricity use as bars: upright where the figures have room, lying where they have not. */
const GAP = 8;

/* The width a text will need, good enough to decide a layout: Chinese characters are square, digits half. */
function textWidth(text, size) {
  let width = 0;
  for (const char of String(text)) width += char.charCodeAt(0) > 0x2e7f ? size : size * 0.58;
  return width;
}

const widest = (texts, size) => Math.max(0, ...texts.map((text) => textWidth(text, size)));
const barClass = (point) => "bar" + (point.estimated ? " estimated" : "");

/* Both years in one list of pairs, by position. */
function pairs(card) {
  return card.points.map((point, i) => ({ point, before: card.compare?.[i] }));
}

function scaleOf(card) {
  const values = [...card.points, ...(card.compare || [])].map((point) => Math.abs(Number(point.value)) || 0);
  return Math.max(...values, 0) || 1;
}

/* Upright bars. With many points only every so many labels are written and the table has the figures. */
function Columns({ card, width, size, figures }) {
  const top = figures ? size + 6 : 6;
  const height = Math.round(size * 9);
  const step = width / card.points.length;
  const label = widest(card.points.map((p) => p.label), size);
  const each = Math.ceil((label + GAP) / step);
  const written = (i) => i % each === 0 && (each === 1 || step * i + label <= width);
  const bar = Math.min(step * (card.compare ? 0.36 : 0.6), size * 2.4);
  const base = height - size - 8;
  const tall = (point) => Math.max(1, (Math.abs(Number(point.value)) / scaleOf(card)) * (base - top));
  return html`<${Drawing} card=${card} width=${width} height=${height}>
    <line class="axis" x1="0" x2=${width} y1=${base} y2=${base}/>
    ${pairs(card).map(({ point, before }, i) => {
      const middle = step * (i + 0.5);
      const left = before ? middle - bar - 1 : middle - bar / 2;
      return html`<g>
        ${before && html`<rect class="bar before" x=${middle + 1} y=${base - tall(before)} width=${bar} height=${tall(before)}/>`}
        <rect class=${barClass(point)} x=${left} y=${base - tall(point)} width=${bar} height=${tall(point)}/>
        ${figures && html`<text class="figure" x=${middle} y=${base - Math.max(tall(point), before ? tall(before) : 0) - 5} text-anchor="middle">${point.value}</text>`}
        ${written(i) && html`<text x=${each > 1 ? step * i : middle} y=${height - 4} text-anchor=${each > 1 ? "start" : "middle"}>${point.label}</text>`}
      </g>`;
    })}
  <//>`;
}

/* Lying bars: label, bar, figure; readable for a factory's six digits and in large type. */
function Rows({ card, width, size }) {
  const all = [...card.points, ...(card.compare || [])];
  const labels = widest(card.points.map((p) => p.label), size) + GAP;
  const figures = widest(all.map((p) => p.value), size) + GAP;
  const room = Math.max(40, width - labels - figures);
  const thick = Math.round(size * (card.compare ? 0.62 : 1));
  const line = Math.round(card.compare ? size * 3.1 : size * 1.9);
  const long = (point) => Math.max(1, (Math.abs(Number(point.value)) / scaleOf(card)) * room);
  return html`<${Drawing} card=${card} width=${labels + room + figures} height=${line * card.points.length}>
    ${pairs(card).map(({ point, before }, i) => {
      const y = line * i + (line - thick - (before ? size * 1.25 : 0)) / 2;
      const under = y + size * 1.25;
      const write = (p, at, kind) => html`<text class=${kind} x=${labels + long(p) + GAP / 2} y=${at + thick / 2} dominant-baseline="central">${p.value}</text>`;
      return html`<g>
        <text x="0" y=${line * (i + 0.5)} dominant-baseline="central">${point.label}</text>
        <rect class=${barClass(point)} x=${labels} y=${y} width=${long(point)} height=${thick}/>
        ${write(point, y, "figure")}
        ${before && html`<rect class="bar before" x=${labels} y=${under} width=${long(before)} height=${thick}/>`}
        ${before && write(before, under, "figure-before")}
      </g>`;
    })}
  <//>`;
}

/* The words of the picture for those who cannot see it. */
function spoken(card) {
  const unit = " " + (card.unit || "");
  const say = (points) =>
    points.map((p) => p.label + " " + p.value + unit + (p.estimated ? "（估算）" : "")).join("，");
  const before = card.compare ? "；" + (card.compare_label || "对比") + "：" + say(card.compare) : "";
  return card.title + "：" + say(card.points) + before;
}

const Drawing = ({ card, width, height, children }) => html`
  <svg class="chart" role="img" aria-label=${spoken(card)} width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`}>
    ${children}
  </svg>`;

/* How wide the card really is, followed while it changes. */
function useWidth() {
  const place = useRef(null);
  const [width, setWidth] = useState(300);
  useLayoutEffect(() => {
    const measure = () => place.current?.clientWidth && setWidth(place.current.clientWidth);
    const watcher = new ResizeObserver(measure);
    watcher.observe(place.current);
    measure();
    return () => watcher.disconnect();
  }, []);
  return [place, width];
}

function Bars({ card, big }) {
  const [place, width] = useWidth();
  const size = big ? 24 : 13;
  const many = card.points.length > 13;
  const words = [...card.points.map((p) => p.label), ...card.points.map((p) => p.value)];
  const upright = !card.compare && widest(words, size) + GAP <= width / card.points.length;
  const shape = many || upright ? Columns : Rows;
  return html`<div class="bars" ref=${place}><${shape} card=${card} width=${width} size=${size} figures=${!many}/></div>`;
}

function Legend({ card }) {
  const estimated = card.points.some((point) => point.estimated);
  if (!card.compare && !estimated) return null;
  return html`<p class="legend" aria-hidden="true">
    <span><i class="key"></i>本期</span>
    ${card.compare && html`<span><i class="key before"></i>${card.compare_label || "对比"}</span>`}
    ${estimated && html`<span><i class="key estimated"></i>估算读数</span>`}
  </p>`;
}

const UsageTable = ({ card }) => html`
  <table class="ledger figures">
    <caption>${card.title}</caption>
    <thead><tr>
      <th scope="col">时间</th>
      <th scope="col" class="right">用电量（${card.unit}）</th>
      ${card.compare && html`<th scope="col" class="right">${card.compare_label || "对比"}</th>`}
    </tr></thead>
    <tbody>${pairs(card).map(
      ({ point, before }) => html`<tr>
        <th scope="row">${point.label}</th>
        <td class="right num">${point.value}${point.estimated ? "（估）" : ""}</td>
        ${card.compare && html`<td class="right num">${before?.value ?? "–"}</td>`}
      </tr>`,
    )}</tbody>
  </table>`;

function UsageCard({ card: told, text, big }) {
  const card = told.compare?.length ? told : { ...told, compare: null };
  const [table, setTable] = useState(false);
  return html`<div class="card">
    <p class="card-title" aria-hidden=${String(table)}>${card.title}</p>
    <${Bars} card=${card} big=${big}/>
    <${Legend} card=${card}/>
    ${filled(card.total) && html`<p class="total">合计 <b class="num">${card.total}</b> ${card.unit}</p>`}
    ${card.registers?.length > 0 &&
    html`<dl class="registers">${card.registers.map(
      (one) => html`<div><dt>${one.label}</dt><dd><span class="num">${one.value}</span> ${card.unit}${one.share && html`<small>${one.share}</small>`}</dd></div>`,
    )}</dl>`}
    <button type="button" class="quiet" aria-expanded=${String(table)} onclick=${() => setTable(!table)}>
      ${table ? "收起表格" : "看表格"}
    </button>
    ${table && html`<${UsageTable} card=${card}/>`}
    ${card.account && html`<p class="note">户号 <span class="num">${card.account}</span></p>`}
    <${Foot} card=${card} text=${text}/>
  </div>`;
}
