/* The audit log: who did what to what, newest first, and whether the chain of hashes is whole. */
function Chain({ found, again, busy }) {
  if (!found) return null;
  return html`<div class=${"chain " + (found.ok ? "ok" : "broken")} role=${found.ok ? "status" : "alert"}>
    <${Glyph} name=${found.ok ? "done" : "help"}/>
    <p>${found.ok ? html`<b>完整</b>　${found.rows} 条记录逐条相接，没有改动、缺失或调换。` : html`<b>第 ${found.first_bad} 条起对不上</b>　前 ${found.rows} 条完好。${found.why}`}<br/><small>末条校验值 <code>${found.head.slice(0, 16)}…</code></small></p>
    <${CopyButton} text=${found.head}/><button type="button" aria-disabled=${String(busy)} onclick=${again}>${busy ? "正在校验…" : "重新校验"}</button></div>`;
}

function Audit({ desk, api }) {
  const [agent, setAgent] = useState("");
  const [older, setOlder] = useState([]);
  const [more, setMore] = useState(null);
  const query = agent ? "&agent_id=" + agent : "";
  const first = useAsk(() => api.get("/audit?check=true" + query), [query]);
  useEffect(() => {
    setOlder([]);
    setMore(null);
  }, [first.value]);
  if (!first.value) return first.error ? html`<${Failed} error=${first.error} retry=${first.reload}/>` : html`<${Spinner}/>`;
  const rows = [...first.value.entries, ...older];
  const next = async () => {
    try {
      const page = await api.get("/audit?check=false&before=" + rows[rows.length - 1].id + query);
      setOlder([...older, ...page.entries]);
      setMore(page.more);
    } catch (error) {
      failed(error);
    }
  };
  const agents = desk.options?.agents || [];
  return html`<div class="supervision"><h1 class="sr">审计</h1><${Chain} found=${first.value.verification} again=${first.reload} busy=${first.loading}/>
    <div class="days"><${SelectField} label="谁做的" value=${agent} set=${setAgent} options=${agents.map((one) => ({ value: one.id, label: one.name }))} none="所有人"/></div>
    ${rows.length ? html`<table class="grid"><caption class="sr">审计记录</caption><thead><tr><th scope="col">编号</th><th scope="col">时间</th><th scope="col">谁</th><th scope="col">做了什么</th><th scope="col">对象</th><th scope="col">详情</th></tr></thead>
      <tbody>${rows.map((one) => html`<tr key=${one.id}><td class="num">${one.id}</td><td><time datetime=${one.at}>${dayOf(one.at)} ${timeOf(one.at)}</time></td><td>${one.agent ? one.agent.name : html`<span class="count">系统或未登录</span>`}</td><td>${one.action_text}</td><td title=${one.subject}>${one.subject_text}</td><td class="long">${one.detail_text.join("\n")}</td></tr>`)}</tbody></table>
      ${(more ?? first.value.more) && html`<button type="button" class="link" onclick=${next}>再看更早的</button>`}` : html`<${Empty} glyph="lock" title="没有记录"/>`}</div>`;
}

registerTab({ key: "audit", label: "审计", role: "administrator", component: Audit });
