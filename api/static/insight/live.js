/* Live without reload: asks every ten seconds whether anything shown may have changed. A hidden tab rests. */
const PULSE_MS = 10000;

class Live {
  constructor(app) {
    this.app = app;
    this.mark = null; // what the server said last
    this.version = 0; // grows when it said something else: what is shown is read again
    this.lost = false;
    this.stand = null; // when we last knew that what is shown is true
    this.timer = null;
    document.addEventListener("visibilitychange", () => !document.hidden && this.soon());
    addEventListener("online", () => this.soon());
  }

  begin() {
    this.soon();
  }

  rest() {
    clearTimeout(this.timer);
    this.timer = null;
  }

  soon() {
    this.rest();
    if (this.app.phase === "ready") this.beat();
  }

  async beat() {
    const turn = (this.turn = {});
    if (!document.hidden) await this.listen(turn);
    if (turn !== this.turn || this.app.phase !== "ready") return;
    this.timer = setTimeout(() => this.beat(), PULSE_MS);
  }

  async listen(turn) {
    try {
      const { version } = await this.app.api.ask("GET", "/pulse", { limit: CALL_LIMIT_MS });
      if (turn !== this.turn) return;
      const moved = this.mark !== null && version !== this.mark;
      const came = this.lost;
      this.mark = version;
      this.lost = false;
      this.stand = new Date();
      if (moved || came) this.version++;
      this.app.changed();
    } catch (error) {
      if (turn !== this.turn || error.status === 401) return;
      this.lost = true;
      this.app.changed();
    }
  }
}

/* Says when the figures stand still, and when they move again. */
const LostLine = ({ live }) => html`<div role="status" class="link-line">
  ${live.lost && html`<p><span class="spin" aria-hidden="true"></span>连接中断，数据停在 ${live.stand ? toTheSecond(live.stand) : "打开页面时"}，正在重试
    <button type="button" class="link" onclick=${() => live.soon()}>现在重试</button></p>`}</div>`;
