/* Starts the page. Many changes of one moment become one drawing. */
function start() {
  const place = document.getElementById("insight");
  let scheduled = false;
  const draw = () => {
    scheduled = false;
    render(html`<${Everything} app=${app}/>`, place);
  };
  const app = new Insight(() => {
    if (scheduled) return;
    scheduled = true;
    setTimeout(draw, 0);
  });
  toasts.changed = () => app.changed();
  place.textContent = "";
  draw();
  app.boot();
}
start();
