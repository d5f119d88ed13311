/* Hours: the week by schedule, special days, which skill follows which schedule, promises, and reasons for a pause. */
const DAY_KINDS = { workday: "工作日（含调休上班）", weekend: "周末", holiday: "法定节假日" };
const SCHEDULES = { round_the_clock: "全天", desk: "坐席班" };
const scheduleWord = (key) => SCHEDULES[key] || key;
const WINDOW = /^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$/;

/* "08:00-12:00、14:00-18:00" <-> list; an empty field is a closed day. */
const readWindows = (text) => text.split(/[、,，;；\s]+/).filter(Boolean);
const wrongWindow = (text) => readWindows(text).find((one) => !WINDOW.test(one));

function WindowsField({ label, value, set }) {
  const [text, setText] = useState(value.join("、"));
  const wrong = wrongWindow(text);
  const change = (given) => {
    setText(given);
    if (!wrongWindow(given)) set(readWindows(given));
  };
  return html`<${TextField} label=${label} value=${text} set=${change} placeholder="休息" error=${wrong && "“" + wrong + "”不是时段，写成 08:00-20:00"}/>`;
}

function SpecialDays({ days, set }) {
  const [day, setDay] = useState("");
  const rows = Object.keys(days).sort();
  const add = () => {
    if (day && !days[day]) set({ ...days, [day]: [] });
    setDay("");
  };
  return html`<div class="special"><h3>特殊日期</h3>${rows.map((key) => html`<div class="special-row" key=${key}><${WindowsField} label=${key} value=${days[key]} set=${(windows) => set({ ...days, [key]: windows })}/>
      <button type="button" class="bare" aria-label=${"去掉 " + key} onclick=${() => set(Object.fromEntries(Object.entries(days).filter(([other]) => other !== key)))}><${CloseIcon}/></button></div>`)}
    <div class="adding"><input type="date" aria-label="新增特殊日期" value=${day} onchange=${(e) => setDay(e.target.value)}/><button type="button" onclick=${add}><${Glyph} name="plus"/>添加</button></div></div>`;
}

const ScheduleBox = ({ name, one, set }) => html`<section class="box"><h2>${scheduleWord(name)}</h2>
  ${Object.entries(DAY_KINDS).map(([kind, label]) => html`<${WindowsField} key=${kind} label=${label} value=${one[kind]} set=${(windows) => set({ ...one, [kind]: windows })}/>`)}
  <${SpecialDays} days=${one.days || {}} set=${(days) => set({ ...one, days })}/></section>`;

const NumberField = ({ label, value, set, hint }) => html`<${TextField} label=${label} type="number" min="1" value=${value} set=${(text) => set(Number(text))} hint=${hint}/>`;

function Promises({ clocks, set }) {
  const put = (clock, key) => (value) => set({ ...clocks, [clock]: { ...clocks[clock], [key]: value } });
  return html`<section class="box"><h2>承诺（分钟）</h2>
    <${NumberField} label="首次响应承诺" value=${clocks.first_response.promise_minutes} set=${put("first_response", "promise_minutes")}/>
    <${NumberField} label="首次响应目标" value=${clocks.first_response.aim_minutes} set=${put("first_response", "aim_minutes")}/>
    <${NumberField} label="办结承诺" value=${clocks.closure.promise_minutes} set=${put("closure", "promise_minutes")}/>
    <${NumberField} label="留言答复" value=${clocks.message_minutes} set=${(value) => set({ ...clocks, message_minutes: value })} hint="按工作时间算"/>
    <${NumberField} label="预警（承诺的百分之几）" value=${clocks.warn_percent} set=${(value) => set({ ...clocks, warn_percent: value })}/></section>`;
}

function Reasons({ reasons, set }) {
  const [text, setText] = useState("");
  const add = () => {
    if (!text.trim()) return;
    set({ ...reasons, ["reason_" + Date.now().toString(36)]: text.trim() });
    setText("");
  };
  return html`<section class="box"><h2>暂停计时的原因</h2><p class="hint">可以改名和增加，不能删：以前的计时还要用。</p>
    ${Object.entries(reasons).map(([key, label], place) => html`<${TextField} key=${key} label=${"原因 " + (place + 1)} value=${label} set=${(value) => set({ ...reasons, [key]: value })} max="40"/>`)}
    <div class="adding"><input aria-label="新增原因" maxlength="40" value=${text} oninput=${(e) => setText(e.target.value)}/><button type="button" onclick=${add}><${Glyph} name="plus"/>添加</button></div></section>`;
}

const Present = ({ view }) => html`<section class="box"><h2>按现在的班次</h2><table class="grid"><caption class="sr">各技能组此刻</caption><thead><tr><th scope="col">技能组</th><th scope="col">此刻</th><th scope="col">下次上班</th><th scope="col">现在留言最晚答复</th></tr></thead>
  <tbody>${view.skills.map((one) => html`<tr key=${one.skill}><th scope="row">${skillWord(one.skill)}</th><td>${one.open ? "营业中" : "休息"}</td><td>${one.open ? "—" : momentOf(one.next_opening)}</td><td>${momentOf(one.answer_by)}${!one.certain && html`<span class="tag flag">明年节假日未公布</span>`}</td></tr>`)}</tbody></table>
  ${view.changes.length > 0 && html`<p class="hint">改过 ${view.changes.length} 次，最近 ${momentOf(view.changes[0].at)} ${view.changes[0].by || ""}</p>`}</section>`;

function Editor({ api, view, taken }) {
  const [hours, setHours] = useState(view.hours);
  const [state, setState] = useState({ busy: false, error: "" });
  const put = (key) => (value) => setHours((before) => ({ ...before, [key]: value }));
  const changed = JSON.stringify(hours) !== JSON.stringify(view.hours);
  const save = async (event) => {
    event.preventDefault();
    if (state.busy || !changed) return;
    if (event.target.querySelector('[aria-invalid="true"]')) {
      setState({ busy: false, error: "有时段写得不对，请先改好" });
      return;
    }
    setState({ busy: true, error: "" });
    try {
      taken(await api.put("/hours", { hours }));
      toast("班次已保存，从现在起生效", "good");
      setState({ busy: false, error: "" });
    } catch (error) {
      setState({ busy: false, error: reasonWords(error) + (error.document?.why ? "（" + error.document.why + "）" : "") });
    }
  };
  return html`<form class="hours" onsubmit=${save}>
    <div class="three">${Object.entries(hours.schedules).map(([name, one]) => html`<${ScheduleBox} key=${name} name=${name} one=${one} set=${(value) => put("schedules")({ ...hours.schedules, [name]: value })}/>`)}
      <section class="box"><h2>哪个技能组上哪个班</h2>${Object.entries(hours.skills).map(([skill, name]) => html`<${SelectField} key=${skill} label=${skillWord(skill)} value=${name} set=${(value) => value && put("skills")({ ...hours.skills, [skill]: value })} options=${Object.keys(hours.schedules).map((key) => ({ value: key, label: scheduleWord(key) }))}/>`)}
        <p class="hint">险情和生命支持客户不论技能组，都按“${scheduleWord(hours.urgent.schedule)}”。</p></section>
      <${Promises} clocks=${hours.clocks} set=${put("clocks")}/><${Reasons} reasons=${hours.pause_reasons} set=${put("pause_reasons")}/></div>
    <div class="save-line"><p class="form-error" role="alert">${state.error}</p>${changed && html`<button type="button" onclick=${() => setHours(view.hours)}>放弃修改</button>`}
      <button type="submit" class="primary" aria-disabled=${String(state.busy || !changed)}>${state.busy ? "正在保存…" : "保存班次"}</button></div></form>`;
}

function Hours({ api }) {
  const [version, setVersion] = useState(0);
  const [saved, setSaved] = useState(null);
  const { value, error, loading, reload } = useAsk(() => api.get("/hours"), []);
  const view = saved || value;
  if (loading && !view) return html`<${Spinner}/>`;
  if (!view) return html`<${Failed} error=${error} retry=${reload}/>`;
  const taken = (answer) => {
    setSaved(answer);
    setVersion(version + 1);
  };
  return html`<div class="supervision"><h1 class="sr">班次</h1><p class="hint">时段写成 08:00-20:00，几段之间用顿号；空着就是休息；22:00-06:00 跨到第二天，00:00-24:00 是全天。改动只管以后的会话，以前的计时不变。</p>
    <${Present} view=${view}/><${Editor} key=${version} api=${api} view=${view} taken=${taken}/></div>`;
}

registerTab({ key: "hours", label: "班次", role: "supervisor", component: Hours });
