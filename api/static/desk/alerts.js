/* Sounds, desktop notices and the title of the page: nobody has to stare at the screen. */
const alerts = {
  get muted() {
    return store.read("desk:muted", false) === true;
  },
  set muted(value) {
    store.write("desk:muted", value);
    if (value) this.ring(false);
  },

  /* Browsers give sound only after somebody has touched the page. */
  wake() {
    const Audio = window.AudioContext || window.webkitAudioContext;
    if (!Audio) return;
    this.audio ??= new Audio();
    if (this.audio.state === "suspended") this.audio.resume();
  },

  tone(frequency, at, length, loud = 0.12) {
    const oscillator = this.audio.createOscillator();
    const gain = this.audio.createGain();
    oscillator.type = "sine";
    oscillator.frequency.value = frequency;
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(loud, at + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.001, at + length);
    oscillator.connect(gain).connect(this.audio.destination);
    oscillator.start(at);
    oscillator.stop(at + length);
  },

  play(tones) {
    if (this.muted || !this.audio || this.audio.state !== "running") return;
    const now = this.audio.currentTime;
    for (const [frequency, after, length] of tones) this.tone(frequency, now + after, length);
  },

  message() {
    if (Date.now() - (this.last || 0) < 1500) return;
    this.last = Date.now();
    this.play([[740, 0, 0.18]]);
  },

  warning() {
    this.play([[520, 0, 0.2], [415, 0.22, 0.3]]);
  },

  /* An offer rings until somebody takes it, it lapses, or the sound is off. */
  ring(on) {
    if (!on) {
      clearInterval(this.ringing);
      this.ringing = null;
    } else if (!this.ringing) {
      const once = () => this.play([[660, 0, 0.25], [880, 0.2, 0.35]]);
      once();
      this.ringing = setInterval(once, 3000);
    }
  },

  get notices() {
    return "Notification" in window ? Notification.permission : "unsupported";
  },

  async askForNotices() {
    if (this.notices !== "default") return this.notices;
    return Notification.requestPermission();
  },

  /* Never a name, never what the customer wrote: a notice lies open on the desktop. */
  notice(title, body, tag, click) {
    if (this.notices !== "granted" || document.visibilityState === "visible") return;
    const shown = new Notification(title, { body, tag, lang: "zh-CN" });
    shown.onclick = () => {
      window.focus();
      shown.close();
      click?.();
    };
  },

  /* 【新会话】 and the count of what is unread, in turns. */
  title({ offers, unread }) {
    const plain = (unread ? "(" + (unread > 99 ? "99+" : unread) + ") " : "") + "电小服坐席台";
    clearInterval(this.blinking);
    document.title = plain;
    if (!offers) return;
    let on = false;
    this.blinking = setInterval(() => {
      on = !on;
      document.title = on ? "【新会话待接】电小服坐席台" : plain;
    }, 1000);
  },
};
for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => alerts.wake(), { capture: true });
