/* What an agent does about himself: password, second factor, notices. */
function PasswordDialog({ desk, close }) {
  const done = async (session) => {
    close();
    toast("密码已更换", "good");
    await desk.enter(session);
  };
  return html`<${Dialog} title="更换密码" close=${close} size="small"><${PasswordForm} desk=${desk} done=${done}/><//>`;
}

function TotpDialog({ desk, close }) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [secret, setSecret] = useState(null);
  const [state, setState] = useState({ busy: false, error: "" });
  const on = desk.me.second_factor;
  const step = async (work) => {
    setState({ busy: true, error: "" });
    try {
      await work();
      setState({ busy: false, error: "" });
    } catch (error) {
      setState({ busy: false, error: reasonWords(error) });
    }
  };
  const finish = (enabled) => {
    desk.me = { ...desk.me, second_factor: enabled };
    toast(enabled ? "动态码已启用，下次登录要输入" : "动态码已停用", "good");
    close();
  };
  const begin = () => step(async () => setSecret(await desk.api.post("/me/totp", { password })));
  const confirm = () => step(async () => (await desk.api.post("/me/totp", { code: code.trim() })) && finish(true));
  const off = () => step(async () => (await desk.api.del("/me/totp", { password })) && finish(false));
  const submit = (event) => {
    event.preventDefault();
    if (!state.busy) (on ? off : secret ? confirm : begin)();
  };
  return html`<${Dialog} title="动态码" close=${close} size="small"><form onsubmit=${submit}>
    ${on && html`<p>动态码已启用。停用需要输入密码。</p>`}
    ${!on && !secret && html`<p>启用后，登录时除密码外还要输入手机上的 6 位动态码。</p>`}
    ${secret && html`<p>在手机的动态码应用里选“手动输入密钥”，填入：</p><p class="secret num">${(secret.secret || "").replace(/(.{4})/g, "$1 ")}</p>
      <${CopyButton} text=${secret.secret}/>`}
    ${secret
      ? html`<${TextField} label="手机上的 6 位动态码" inputmode="numeric" value=${code} set=${setCode} max="8"/>`
      : html`<${TextField} label="当前密码" type="password" autocomplete="current-password" value=${password} set=${setPassword}/>`}
    <p class="form-error" role="alert">${state.error}</p>
    <button type="submit" class=${on ? "danger" : "primary"} aria-disabled=${String(state.busy)}>${on ? "停用动态码" : secret ? "启用" : "下一步"}</button>
  </form><//>`;
}

function LogoutDialog({ desk, close, kept }) {
  const leave = () => {
    close();
    desk.logout();
  };
  return html`<${Dialog} title="还有没发出的内容" close=${close} size="small"
    foot=${html`<button type="button" onclick=${close}>先不退出</button><button type="button" class="danger" onclick=${leave}>清除并退出</button>`}>
    <p>退出会清除这台电脑上的草稿和没发出的消息：</p>
    <ul class="lines">${kept.slice(0, 6).map((text) => html`<li><span>${brief(text, 80)}</span></li>`)}</ul>
  <//>`;
}

const StatusMenu = ({ desk }) => html`<${Menu}
  label=${"接待状态：" + (STATUS[desk.me.status] || "")} kind="status-button"
  text=${html`<i class=${"dot " + desk.me.status}></i><span>${STATUS[desk.me.status]}</span>`}
  items=${Object.entries(STATUS).map(([key, label]) => ({
    label: label + { online: "　可派新会话", away: "　不派新会话", offline: "　下班" }[key], dot: key, checked: desk.me.status === key, run: () => desk.setStatus(key),
  }))}/>`;

async function wantNotices(desk) {
  const answer = await alerts.askForNotices();
  if (answer === "granted") toast("桌面通知已开启", "good");
  else if (answer === "denied") toast("浏览器没有允许桌面通知，可在地址栏左侧的网站设置里打开", "bad");
  else if (answer === "unsupported") toast("这个浏览器不支持桌面通知", "bad");
  desk.changed();
}

const MeMenu = ({ desk }) => html`<${Menu} label="我的账号" glyph="person" text=${html`<span class="me-name">${desk.me.name}</span><span class="me-no num">${desk.me.staff_no}</span>`} kind="me-button"
  items=${[
    { title: ROLES[desk.me.role] + "：" + (desk.me.skills || []).map(skillWord).join("、") },
    { label: "更换密码", run: () => desk.ask(PasswordDialog) },
    { label: "动态码", run: () => desk.ask(TotpDialog) },
    alerts.notices === "default" && { label: "开启桌面通知", run: () => wantNotices(desk) },
    { label: "键盘操作", key: "?", run: () => desk.ask(KeysDialog) },
    { label: "退出登录", run: () => desk.askToLeave(), tone: "bad" },
  ]}/>`;
