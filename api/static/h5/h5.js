/* Opens the widget over the whole page with a session of who is logged in to WeChat now; nothing of it is stored. */
(() => {
  const SLOT = "dianfu:h5:seq";
  const named = (hash) => Number((/^#seq=([0-9]{1,9})$/.exec(hash || "") || [])[1] || 0);
  /* After the way by WeChat the fragment is WeChat's own. */
  const remembered = () => {
    try {
      const hash = sessionStorage.getItem(SLOT);
      sessionStorage.removeItem(SLOT);
      return named(hash);
    } catch {
      return 0;
    }
  };
  const seq = named(location.hash) || remembered();
  /* The code of a paper of the hall whose address was opened; told once. */
  const scanned = () => {
    const here = new URLSearchParams(location.search).get("scene");
    try {
      const before = sessionStorage.getItem("dianfu:h5:scene");
      sessionStorage.removeItem("dianfu:h5:scene");
      return here || before || "";
    } catch {
      return here || "";
    }
  };
  const scene = scanned();
  const tell = (token) =>
    fetch("/v1/papers", {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: "Bearer " + token },
      body: JSON.stringify({ scene }),
      cache: "no-store",
    }).catch(() => {});
  const renew = () => location.replace("/wechat/h5/enter");

  async function enter() {
    /* The ticket is used up below: opened again, the page goes by the door. */
    history.replaceState(null, "", "/wechat/h5" + (seq ? "#seq=" + seq : ""));
    let answer;
    try {
      answer = await fetch("/wechat/h5/session", {
        method: "POST",
        headers: { "X-Dianfu-Page": "h5" },
        credentials: "same-origin",
        cache: "no-store",
      });
    } catch {
      setTimeout(enter, 3000);
      return;
    }
    if (!answer.ok) {
      renew();
      return;
    }
    const session = await answer.json();
    for (const hint of document.querySelectorAll(".wait")) hint.remove();
    window.dianfu.enter(session, { seq, renew });
    if (scene) tell(session.token); /* what it means comes into the conversation */
  }

  /* Back from another page the browser may show this one as it was, with somebody else logged in by now. */
  window.addEventListener("pageshow", (event) => event.persisted && location.reload());
  if (window.dianfu) enter();
  else window.addEventListener("dianfu:ready", enter, { once: true });
})();
