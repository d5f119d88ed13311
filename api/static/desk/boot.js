/* Starts the console. Many changes of one moment become one drawing. */
function start() {
  const place = document.getElementById("desk");
  let scheduled = false;
  const draw = () => {
    scheduled = false;
    render(html`<${App} desk=${desk}/>`, place);
  };
  const desk = new Desk(() => {
    if (scheduled) return;
    scheduled = true;
    setTimeout(draw, 0);
  });
  place.textContent = "";
  draw();
  listenToKeys(desk);
  window.addEventListener("beforeunload", (event) => {
    if (desk.ready && desk.sends.entries.some((one) => !one.error) && desk.link !== "online") event.preventDefault();
  });
  window.addEventListener("hashchange", () => desk.openAsked());
  desk.boot();
}
start();
