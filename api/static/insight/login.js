/* Signing in here, with the desk's account and the desk's session: who is signed in there is signed in here. */
const Gate = ({ title, children }) => html`<main class="gate"><div class="gate-card"><p class="gate-mark"><${Mark}/>电小服经营看板</p><h1>${title}</h1>${children}</div></main>`;

function useDemoPeople() {
  const [people, setPeople] = useState([]);
  useEffect(() => {
    fetch("/demo/agents", { cache: "no-store" })
      .then((response) => (response.ok ? response.json() : []))
      .then((found) => setPeople((Array.isArray(found) ? found : found.agents || []).filter((one) => mayUse(one, "supervisor"))))
      .catch(() => null);
  }, []);
  return people;
}

function SignIn({ app }) {
  const [form, setForm] = useState({ login: app.me?.login || "", password: "", code: "" });
  const [step, setStep] = useState("password");
  const [state, setState] = useState({ busy: false, error: "" });
  const people = useDemoPeople();
  const box = useRef(null);
  const put = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
  useEffect(() => box.current.querySelector(step === "code" ? "[name=code]" : form.login ? "[name=password]" : "[name=login]").focus(), [step]);
  const submit = async (event, given = form) => {
    event?.preventDefault();
    if (state.busy) return;
    setState({ busy: true, error: "" });
    const code = given.code.trim();
    try {
      const answer = await app.desk.post("/login", { login: given.login.trim(), password: given.password, ...(code ? { code } : {}) });
      setState({ busy: false, error: "" });
      if (answer.second_factor) setStep("code");
      else app.enter(answer);
    } catch (error) {
      setState({ busy: false, error: error.status === 401 ? error.document?.detail || "登录名、密码或动态码不对" : reasonWords(error) });
      if (step === "code") put("code")("");
    }
  };
  const be = (one) => (setForm({ login: one.login, password: one.password || "", code: "" }), one.password && submit(null, { login: one.login, password: one.password, code: "" }));
  return html`<${Gate} title=${step === "code" ? "输入动态码" : "登录"}>
    ${app.ended && html`<p class="gate-note" role="status">登录已失效，请重新登录。登录后回到刚才看的地方。</p>`}
    <form ref=${box} onsubmit=${submit}>
      ${step === "password"
        ? html`<${TextField} label="登录名" name="login" autocomplete="username" value=${form.login} set=${put("login")} max="64"/>
            <${TextField} label="密码" name="password" type="password" autocomplete="current-password" value=${form.password} set=${put("password")} max="256"/>`
        : html`<${TextField} label="动态码" name="code" inputmode="numeric" autocomplete="one-time-code" hint="手机上的动态码应用里现在的 6 位数字" value=${form.code} set=${put("code")} max="8"/>`}
      <p class="form-error" role="alert">${state.error}</p>
      <button type="submit" class="primary" aria-disabled=${String(state.busy)}>${state.busy ? "正在登录…" : "登录"}</button>
    </form>
    ${people.length > 0 && html`<section class="demo" aria-label="演示账号"><h2>演示账号（仅开发环境）</h2>
      <ul>${people.map((one) => html`<li key=${one.login}><button type="button" onclick=${() => be(one)}><b>${one.name}</b><span>${ROLES[one.role] || one.role}</span></button></li>`)}</ul></section>`}<//>`;
}

/* Signed in, but not one whom this page is for. */
const NotForYou = ({ app }) => html`<${Gate} title=${app.me.must_change ? "请先更换密码" : "没有查看权限"}>
  <p class="hint">${app.me.must_change ? "现在的密码由别人设定，请先到坐席台换成只有您知道的密码。" : app.me.name + "，经营看板供班长和管理员使用。"}</p>
  <p class="row-end"><a class="button" href="/desk">去坐席台</a><button type="button" onclick=${() => app.leave()}>换个账号</button></p><//>`;
