/* People and canned answers: who works here with what role and skills, and the answers that all may use. */
const NO_AGENT = { login: "", name: "", staff_no: "", role: "agent", skills: [], capacity: 4, active: true };
const NO_ANSWER = { shortcut: "", title: "", text: "", skill: null, active: true };

const Checks = ({ label, options, values, set }) => html`<fieldset class="choices"><legend>${label}</legend><div>${options.map(
  (one) => html`<label key=${one.value} class=${"choice" + (values.includes(one.value) ? " chosen" : "")}><input type="checkbox" checked=${values.includes(one.value)} onchange=${(e) => set(e.target.checked ? [...values, one.value] : values.filter((other) => other !== one.value))}/><span>${one.label}</span></label>`,
)}</div></fieldset>`;

const skillOptions = () => Object.keys(SKILLS).map((key) => ({ value: key, label: skillWord(key) }));

/* A password that nobody can read again: it stays until it is closed by hand. */
function PasswordDialog({ close, given }) {
  return html`<${Dialog} title=${given.agent.name + " 的初始密码"} close=${close} size="small" foot=${html`<button type="button" class="primary" onclick=${close}>已记下，关闭</button>`}>
    <p>只显示这一次。请当面或用可靠的方式告诉本人，首次登录后必须改掉。</p>
    <p class="once"><code>${given.password}</code><${CopyButton} text=${given.password}/></p><p class="hint">账号：${given.agent.login}</p><//>`;
}

function AgentDialog({ desk, close, me, one, saved }) {
  const [form, setForm] = useState(one || NO_AGENT);
  const doing = useDoing(close);
  const put = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
  const chief = mayUse(me, "administrator");
  const run = () => doing.run(async () => {
    const body = { name: form.name.trim(), staff_no: form.staff_no.trim(), skills: form.skills, capacity: Number(form.capacity) };
    if (chief) body.role = form.role;
    if (one) await desk.api.put("/agents/" + one.id, { ...body, active: form.active });
    else {
      const given = await desk.api.post("/agents", { ...body, login: form.login.trim() });
      setTimeout(() => desk.ask(PasswordDialog, { given }));
    }
    saved();
  });
  return html`<${Dialog} title=${one ? "修改：" + one.name : "新增坐席"} close=${close} foot=${html`<${DialogButtons} doing=${doing} label="保存" run=${run} close=${close} disabled=${!form.name.trim() || !form.staff_no.trim() || (!one && !form.login.trim())}/>`}>
    ${!one && html`<${TextField} label="账号" value=${form.login} set=${put("login")} max="32" hint="小写字母开头，可用字母、数字、. _ -" autocomplete="off" required first/>`}
    <${TextField} label="姓名（客户看到的）" value=${form.name} set=${put("name")} max="40" required/>
    <${TextField} label="工号" value=${form.staff_no} set=${put("staff_no")} max="20" required/>
    <${TextField} label="同时接待上限" type="number" min="0" max="20" value=${form.capacity} set=${put("capacity")}/>
    <${Checks} label="技能" options=${skillOptions()} values=${form.skills} set=${put("skills")}/>
    ${chief ? html`<${Choices} label="岗位" name="role" value=${form.role} set=${put("role")} options=${Object.keys(ROLES).map((key) => ({ value: key, label: ROLES[key] }))}/>` : html`<p class="hint">岗位：${ROLES[form.role]}，由管理员调整</p>`}
    ${one && html`<${Choices} label="账号状态" name="active" value=${form.active} set=${put("active")} options=${[{ value: true, label: "启用" }, { value: false, label: "停用，立即退出登录" }]}/>`}<//>`;
}

function ResetDialog({ desk, close, one, saved }) {
  const doing = useDoing(close);
  const run = () => doing.run(async () => {
    const given = await desk.api.post("/agents/" + one.id + "/password");
    saved();
    setTimeout(() => desk.ask(PasswordDialog, { given }));
  });
  return html`<${Dialog} title=${"重设密码：" + one.name} close=${close} size="small" foot=${html`<${DialogButtons} doing=${doing} label="重设" run=${run} close=${close} danger/>`}>
    <p>原来的密码马上失效，${one.name} 会从所有设备退出登录。</p><//>`;
}

function AgentTable({ desk, api, me }) {
  const { value, error, loading, reload } = useAsk(() => api.get("/agents"), []);
  const [all, setAll] = useState(false);
  useEffect(() => desk.onEvent((event) => event.kind === "agents" && reload()), []);
  const chief = mayUse(me, "administrator");
  const unlock = (one) => api.post("/agents/" + one.id + "/unlock").then(() => (toast(one.name + " 可以重新登录了", "good"), reload()), failed);
  if (loading && !value) return html`<${Spinner}/>`;
  if (!value) return html`<${Failed} error=${error} retry=${reload}/>`;
  const rows = value.filter((one) => all || one.active);
  const edit = (one) => desk.ask(AgentDialog, { me, one, saved: reload });
  return html`<div class="days"><button type="button" class="primary" onclick=${() => edit(null)}><${Glyph} name="plus"/>新增坐席</button>
      <label class="check-line"><input type="checkbox" checked=${all} onchange=${(e) => setAll(e.target.checked)}/>显示已停用的</label></div>
    <table class="grid"><caption class="sr">坐席</caption><thead><tr><th scope="col">姓名</th><th scope="col">账号</th><th scope="col">工号</th><th scope="col">岗位</th><th scope="col">技能</th><th scope="col">接待</th><th scope="col">状态</th><th scope="col">验证器</th><th scope="col">操作</th></tr></thead>
      <tbody>${rows.map((one) => html`<tr key=${one.id} class=${one.active ? "" : "off"}><th scope="row">${one.name}</th><td>${one.login}</td><td class="num">${one.staff_no}</td><td>${ROLES[one.role]}</td><td>${one.skills.map((skill) => html`<span class="tag" key=${skill}>${skillWord(skill)}</span>`)}</td><td class="num">${one.load}/${one.capacity}</td>
        <td>${!one.active ? "已停用" : one.locked_until ? html`<span class="bad">锁定到 ${momentOf(one.locked_until)}</span>` : html`<i class=${"dot " + (one.present ? one.status : "offline")} aria-hidden="true"></i> ${one.present ? STATUS[one.status] : STATUS.offline}`}${one.must_change && html`<span class="tag flag">未改初始密码</span>`}</td><td>${one.second_factor ? "已绑定" : "未绑定"}</td>
        <td class="wall-deeds">${(chief || one.role === "agent") && html`<button type="button" class="link" aria-label=${"修改：" + one.name} onclick=${() => edit(one)}>修改</button>${one.locked_until && html`<button type="button" class="link" aria-label=${"解锁：" + one.name} onclick=${() => unlock(one)}>解锁</button>`}`}${chief && html`<button type="button" class="link" aria-label=${"重设密码：" + one.name} onclick=${() => desk.ask(ResetDialog, { one, saved: reload })}>重设密码</button>`}</td></tr>`)}</tbody></table>`;
}

function AnswerDialog({ desk, close, one, placeholders, saved }) {
  const [form, setForm] = useState(one || NO_ANSWER);
  const doing = useDoing(close);
  const put = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
  const run = () => doing.run(async () => {
    const body = { shortcut: form.shortcut.trim(), title: form.title.trim(), text: form.text.trim(), skill: form.skill || null, active: form.active };
    await (one ? desk.api.put("/canned/" + one.id, body) : desk.api.post("/canned/all", body));
    saved();
  });
  return html`<${Dialog} title=${one ? "修改常用语" : "新增常用语"} close=${close} foot=${html`<${DialogButtons} doing=${doing} label="保存" run=${run} close=${close} disabled=${!form.shortcut.trim() || !form.title.trim() || form.text.trim().length < 5}/>`}>
    <${TextField} label="快捷词" value=${form.shortcut} set=${put("shortcut")} max="20" hint="在输入框打 / 加这个词；小写字母、数字、下划线" required first/>
    <${TextField} label="标题" value=${form.title} set=${put("title")} max="60" required/>
    <${TextField} label="内容" value=${form.text} set=${put("text")} lines="5" max="1000" required/>
    <p class="hint">可以插入：${Object.entries(placeholders).map(([key, label]) => html`<button type="button" class="link" key=${key} onclick=${() => put("text")(form.text + "{" + key + "}")}>${label}</button>`)}</p>
    <${SelectField} label="给谁用" value=${form.skill || ""} set=${put("skill")} options=${skillOptions()} none="所有坐席"/>
    ${one && html`<${Choices} label="状态" name="answer-active" value=${form.active} set=${put("active")} options=${[{ value: true, label: "在用" }, { value: false, label: "停用" }]}/>`}<//>`;
}

function AnswerTable({ desk, api }) {
  const { value, error, loading, reload } = useAsk(() => api.get("/canned/all"), []);
  const [query, setQuery] = useState("");
  if (loading && !value) return html`<${Spinner}/>`;
  if (!value) return html`<${Failed} error=${error} retry=${reload}/>`;
  const fits = (one) => [one.shortcut, one.title, one.text].some((text) => text.toLowerCase().includes(query.trim().toLowerCase()));
  const edit = (one) => desk.ask(AnswerDialog, { one, placeholders: value.placeholders, saved: reload });
  const remove = (one) => api.del("/canned/" + one.id).then(() => (toast("已停用：" + one.title), reload()), failed);
  return html`<div class="days"><button type="button" class="primary" onclick=${() => edit(null)}><${Glyph} name="plus"/>新增常用语</button><input type="search" aria-label="查找常用语" placeholder="查找" value=${query} oninput=${(e) => setQuery(e.target.value)}/></div>
    <table class="grid"><caption class="sr">常用语</caption><thead><tr><th scope="col">快捷词</th><th scope="col">标题</th><th scope="col">内容</th><th scope="col">给谁用</th><th scope="col">操作</th></tr></thead>
      <tbody>${value.answers.filter(fits).map((one) => html`<tr key=${one.id} class=${one.active ? "" : "off"}><th scope="row"><code>/${one.shortcut}</code></th><td>${one.title}${!one.active && html`<span class="tag">停用</span>`}</td><td class="long">${one.text}</td><td>${one.skill ? skillWord(one.skill) : "所有坐席"}</td>
        <td class="wall-deeds"><button type="button" class="link" aria-label=${"修改：" + one.title} onclick=${() => edit(one)}>修改</button>${one.active && html`<button type="button" class="link" aria-label=${"停用：" + one.title} onclick=${() => remove(one)}>停用</button>`}</td></tr>`)}</tbody></table>`;
}

function People({ desk, api, me }) {
  const [view, setView] = useState("agents");
  const views = { agents: ["坐席", AgentTable], answers: ["常用语", AnswerTable] };
  const [, View] = views[view];
  return html`<div class="supervision"><h1 class="sr">人员</h1><div class="sub" role="group" aria-label="人员">${Object.entries(views).map(([key, [label]]) => html`<button type="button" key=${key} aria-pressed=${String(key === view)} onclick=${() => setView(key)}>${label}</button>`)}</div>
    <${View} desk=${desk} api=${api} me=${me}/></div>`;
}

registerTab({ key: "people", label: "人员", role: "supervisor", component: People });
