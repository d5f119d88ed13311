/* Signing in: login and password, a code where one is asked for, a new password where the present one is not his own. */
function useDemoAgents() {
  const [agents, setAgents] = useState([]);
  useEffect(() => {
    fetch("/demo/agents", { cache: "no-store" })
      .then((response) => (response.ok ? response.json() : []))
      .then((found) => setAgents(Array.isArray(found) ? found : found.agents || []))
      .catch(() => null);
  }, []);
  return agents;
}

const Frame = ({ title, children }) => html`
  <main class="gate"><div class="gate-card"><p class="gate-mark"><${Mark}/>电小服坐席台</p><h1>${title}</h1>${children}</div></main>`;

function Login({ desk }) {
  const [form, setForm] = useState({ login: desk.me?.login || "", password: "", code: "" });
  const [step, setStep] = useState("password");
  const [state, setState] = useState({ busy: false, error: "" });
  const agents = useDemoAgents();
  const box = useRef(null);
  const put = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
  useEffect(() => box.current.querySelector(step === "code" ? "[name=code]" : form.login ? "[name=password]" : "[name=login]").focus(), [step]);
  const submit = async (event, given = form) => {
    event?.preventDefault();
    if (state.busy) return;
    setState({ busy: true, error: "" });
    const body = { login: given.login.trim(), password: given.password, ...(given.code.trim() ? { code: given.code.trim() } : {}) };
    try {
      const answer = await desk.api.post("/login", body);
      if (answer.second_factor) {
        setStep("code");
        setState({ busy: false, error: "" });
      } else await desk.enter(answer);
    } catch (error) {
      setState({ busy: false, error: loginWords(error) });
      if (step === "code") put("code")("");
    }
  };
  const be = (agent) => {
    const given = { login: agent.login, password: agent.password || form.password, code: "" };
    setForm(given);
    if (given.password) submit(null, given);
  };
  return html`<${Frame} title=${step === "code" ? "输入动态码" : "登录"}>
    ${desk.ended && html`<p class="gate-note" role="status">登录已失效，请重新登录。没有发出的内容和草稿都还在。</p>`}
    <form ref=${box} onsubmit=${submit}>
      ${step === "password"
        ? html`<${TextField} label="登录名" name="login" autocomplete="username" value=${form.login} set=${put("login")} max="64"/>
            <${TextField} label="密码" name="password" type="password" autocomplete="current-password" value=${form.password} set=${put("password")} max="256"/>`
        : html`<p class="hint">请打开手机上的动态码应用，输入当前的 6 位动态码。</p>
            <${TextField} label="动态码" name="code" inputmode="numeric" autocomplete="one-time-code" value=${form.code} set=${put("code")} max="8"/>`}
      <p class="form-error" role="alert">${state.error}</p>
      <button type="submit" class="primary" aria-disabled=${String(state.busy)}>${state.busy ? "正在登录…" : "登录"}</button>
      ${step === "code" && html`<button type="button" class="link" onclick=${() => (setStep("password"), setState({ busy: false, error: "" }))}>换个账号</button>`}
    </form>
    ${agents.length > 0 && html`<section class="demo" aria-label="演示账号"><h2>演示账号（仅开发环境）</h2>
      <ul>${agents.map((one) => html`<li><button type="button" onclick=${() => be(one)}><b>${one.name}</b><span>${[ROLES[one.role] || one.role, ...(one.skills || []).map(skillWord)].join(" · ")}</span></button></li>`)}</ul></section>`}
  <//>`;
}

function loginWords(error) {
  if (!(error instanceof Problem)) return reasonWords(error);
  if (error.status === 429) {
    const minutes = Math.ceil((error.retryAfter || 0) / 60000);
    return error.document?.detail || "尝试次数过多，这个登录名暂时锁定" + (minutes ? "，请 " + minutes + " 分钟后再试" : "，请稍后再试");
  }
  return error.status === 401 ? error.document?.detail || "登录名、密码或动态码不对" : error.message;
}

/* The form of a new password, on the way in or later from the menu. */
function PasswordForm({ desk, done, label = "保存新密码" }) {
  const [form, setForm] = useState({ current: "", next: "", again: "" });
  const [state, setState] = useState({ busy: false, error: "" });
  const put = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
  const submit = async (event) => {
    event.preventDefault();
    if (state.busy) return;
    if (form.next.length < 10) return setState({ busy: false, error: "新密码至少 10 个字符" });
    if (form.next !== form.again) return setState({ busy: false, error: "两次输入的新密码不一样" });
    setState({ busy: true, error: "" });
    try {
      await done(await desk.api.post("/me/password", { current: form.current, new: form.next }));
    } catch (error) {
      setState({ busy: false, error: reasonWords(error) });
    }
    return null;
  };
  return html`<form onsubmit=${submit}>
    <${TextField} label="当前密码" name="current" type="password" autocomplete="current-password" value=${form.current} set=${put("current")} first/>
    <${TextField} label="新密码" name="new" type="password" autocomplete="new-password" hint="至少 10 个字符，不能和账号相同，也不要用常见密码" value=${form.next} set=${put("next")}/>
    <${TextField} label="再输一次新密码" name="again" type="password" autocomplete="new-password" value=${form.again} set=${put("again")}/>
    <p class="form-error" role="alert">${state.error}</p>
    <button type="submit" class="primary" aria-disabled=${String(state.busy)}>${state.busy ? "正在保存…" : label}</button>
  </form>`;
}

const MustChange = ({ desk }) => html`<${Frame} title="请先更换密码">
  <p class="hint">现在的密码由别人设定。换成只有您知道的密码后，才能接待客户。</p>
  <${PasswordForm} desk=${desk} done=${(session) => desk.enter(session)} label="更换并进入"/>
  <button type="button" class="link" onclick=${() => desk.logout()}>退出</button>
<//>`;
