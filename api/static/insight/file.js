/* A file to take away. The browser fetches it by itself, so a session that is over is found out before that. */
function FileLink({ app, path, children }) {
  const [busy, setBusy] = useState(false);
  const take = async (event) => {
    event.preventDefault();
    if (busy) return;
    const { href } = event.currentTarget;
    setBusy(true);
    try {
      await app.desk.get("/me");
      Object.assign(document.createElement("a"), { href, download: "" }).click();
    } catch (error) {
      if (error.status === 401) app.signedOut();
      else toast("没有下载：" + reasonWords(error), "bad");
    } finally {
      setBusy(false);
    }
  };
  return html`<a class="button" href=${INSIGHT + path} download aria-disabled=${String(busy)} onclick=${take}>${children}</a>`;
}
