/* The weekly report: which week, and the printable page of it. */
function weekOf(iso) {
  const day = new Date(iso + "T00:00:00Z");
  day.setUTCDate(day.getUTCDate() + 4 - (day.getUTCDay() || 7));
  const first = Date.UTC(day.getUTCFullYear(), 0, 1);
  return day.getUTCFullYear() + "-W" + String(Math.ceil(((day - first) / 86400000 + 1) / 7)).padStart(2, "0");
}

function weekDays(monday) {
  const start = Date.parse(monday);
  const iso = (n) => new Date(start + n * 86400000).toISOString().slice(0, 10);
  return [iso(0), iso(6)];
}

/* The last weeks that are over, the newest first, and the present one. */
function lastWeeks(n = 12) {
  const today = isoDay();
  const back = (new Date(today + "T00:00:00Z").getUTCDay() || 7) - 1;
  return Array.from({ length: n }, (_, i) => {
    const monday = isoDay(back + 7 * i);
    return { key: weekOf(monday), days: weekDays(monday), now: i === 0 };
  });
}

function Weekly({ query }) {
  const weeks = lastWeeks();
  const chosen = weeks.find((one) => one.key === query.get("week")) || weeks[1];
  const href = INSIGHT + "/report?week=" + chosen.key;
  return html`<section class="card wide weekly" aria-label="周报"><div class="card-head"><h3>打印周报</h3></div>
    <p>四个看板的一周：结论写成句子，图表随后，附每个数字的算法。打开后用浏览器的「打印」存成 PDF，A4 横向。</p>
    <ul class="weeks" aria-label="哪一周">${weeks.map((one) => html`<li key=${one.key}><button type="button" aria-pressed=${String(one === chosen)} onclick=${() => adjust({ week: one.key })}>
      <b>第 ${Number(one.key.slice(6))} 周${one.now && html`<span class="tag">本周，未完</span>`}</b><span class="count">${dayWords(one.days[0])}—${dayWords(one.days[1])}</span></button></li>`)}</ul>
    <p class="row-start"><a class="button primary-link" href=${href} target="_blank" rel="noopener">打开 ${chosen.key.slice(0, 4)} 年第 ${Number(chosen.key.slice(6))} 周周报<span class="sr">（在新页打开）</span></a></p></section>`;
}
