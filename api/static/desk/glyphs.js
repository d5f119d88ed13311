/* The console's own drawings, on a grid of 24; all hidden from screen readers, words say the same. */
const PATHS = {
  inbox: "M4 13l2.5-8h11L20 13v6H4zM4 13h5l1 2.5h4l1-2.5h5",
  clock: "M12 4a8 8 0 1 0 .01 0zM12 7.5V12l3 2",
  bell: "M6 16v-5a6 6 0 0 1 12 0v5l1.5 2h-15zM10 20.5h4",
  mute: "M6 16v-5a6 6 0 0 1 9.5-4.9M18 11v5l1.5 2h-12M10 20.5h4M4 4l16 16",
  note: "M5 4h14v11l-5 5H5zM14 20v-5h5M8.5 8.5h7M8.5 12h4",
  transfer: "M4 8h14l-3.5-3.5M20 16H6l3.5 3.5",
  help: "M12 3.5 20.5 19h-17zM12 9.5v4.5M12 16.6v.2",
  hand: "M12 4a8 8 0 1 0 .01 0zM9.8 9.6a2.3 2.3 0 1 1 3.3 2.1c-.8.4-1.1.9-1.1 1.9M12 16.6v.2",
  pause: "M8.5 6v12M15.5 6v12",
  play: "M8 5.5v13l10-6.5z",
  order: "M7 4h10v16l-2.5-1.7L12 20l-2.5-1.7L7 20zM10 8.5h4M10 12h4",
  done: "M4.5 12.5l5 5 10-11",
  card: "M3.5 6h17v12h-17zM3.5 10h17M6.5 14.5h4",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.3a2.7 2.7 0 1 0 .01 0z",
  edit: "M4.5 19.5 6 14.5 16.5 4 20 7.5 9.5 18zM14 6.5l3.5 3.5",
  search: "M10.5 4a6.5 6.5 0 1 0 .01 0zM15.3 15.3 20 20",
  chevron: "M9 5.5l6.5 6.5L9 18.5",
  person: "M12 4a4 4 0 1 0 .01 0zM4.5 20c.8-4 3.8-6 7.5-6s6.7 2 7.5 6",
  bolt: "M13 3 5 13.5h5.5L9.5 21 18 10h-5.5z",
  spark: "M12 4v4M12 16v4M4 12h4M16 12h4M6.5 6.5l2.5 2.5M15 15l2.5 2.5M17.5 6.5 15 9M9 15l-2.5 2.5",
  quote: "M5 6h14v10H11l-4 4v-4H5z",
  plus: "M12 5v14M5 12h14",
  back: "M9 6 4 11l5 5M4 11h10a6 6 0 0 1 6 6v1.5",
  ear: "M8 10a4.5 4.5 0 0 1 9 .3c0 3-3 3.7-3.3 6.2-.2 2-1.4 3.5-3.2 3.5-1.6 0-2.7-1.2-2.7-2.7M10.5 10.3a2 2 0 0 1 4 .2",
  keyboard: "M3 7h18v10H3zM6.5 10.5h.01M10 10.5h.01M13.5 10.5h.01M17 10.5h.01M8 14h8",
  lock: "M6.5 11h11v8.5h-11zM9 11V8a3 3 0 0 1 6 0v3",
  wechat: "M9.5 4.5c-3.9 0-7 2.5-7 5.6 0 1.8 1 3.3 2.6 4.4L4.4 17l2.8-1.4M9.5 4.5c3.4 0 6.2 1.9 6.9 4.5M15 9.5c-3.5 0-6.3 2.2-6.3 5s2.8 5 6.3 5c.8 0 1.6-.1 2.3-.4l2.4 1.2-.6-2.2c1.4-.9 2.2-2.2 2.2-3.6 0-2.8-2.8-5-6.3-5z",
  app: "M7.5 3h9v18h-9zM11 18.2h2",
  web: "M12 4a8 8 0 1 0 .01 0zM4 12h16M12 4c-4.5 4.5-4.5 11.500 0 16M12 4c4.5 4.5 4.5 11.500 0 16",
  retry: "M5 12a7 7 0 1 1 2 5M5 19v-4.5h4.5",
};

const Glyph = ({ name }) => html`<${Icon} name=${"g-" + name}><path d=${PATHS[name]}/><//>`;

const Spinner = ({ label = "正在读取…" }) => html`<p class="loading" role="status"><span class="spin" aria-hidden="true"></span>${label}</p>`;

const Empty = ({ glyph, title, children }) => html`
  <div class="empty">${glyph && html`<${Glyph} name=${glyph}/>`}<p class="empty-title">${title}</p>${children}</div>`;

/* A failed reading, with a way to try again. */
const Failed = ({ error, retry }) => html`
  <div class="failed" role="alert"><p>${reasonWords(error)}</p>
    ${retry && html`<button type="button" onclick=${retry}><${Glyph} name="retry"/>重试</button>`}</div>`;
