/* Dialogs: the focus goes in, stays in, and comes back to where it was; Esc closes. */
const FOCUSABLE = 'button:not([disabled]),[href],input:not([disabled]):not([type="hidden"]),select:not([disabled]),textarea:not([disabled]),summary,[tabindex="0"]';
const openDialogs = [];

const focusables = (root) => [...root.querySelectorAll(FOCUSABLE)].filter((node) => node.offsetParent !== null);

function keepInside(event, root) {
  const all = focusables(root);
  if (!all.length) return;
  const [first, last] = [all[0], all[all.length - 1]];
  const here = document.activeElement;
  if (event.shiftKey && (here === first || !root.contains(here) || here === root)) {
    event.preventDefault();
    last.focus();
  } else if (!event.shiftKey && (here === last || !root.contains(here))) {
    event.preventDefault();
    first.focus();
  }
}

function useTrap(box, close) {
  const shut = useRef(close);
  shut.current = close;
  useLayoutEffect(() => {
    const before = document.activeElement;
    const me = {};
    openDialogs.push(me);
    /* On the document: what had the focus may have gone from the dialog, and the focus with it. */
    const onkeydown = (event) => {
      if (openDialogs[openDialogs.length - 1] !== me || event.defaultPrevented) return;
      if (event.key === "Tab") keepInside(event, box.current);
      if (event.key !== "Escape" || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      event.stopPropagation();
      shut.current();
    };
    document.addEventListener("keydown", onkeydown);
    const first = box.current.querySelector("[data-first]") || box.current.querySelector("input,textarea,select") || box.current;
    first.focus();
    return () => {
      document.removeEventListener("keydown", onkeydown);
      openDialogs.splice(openDialogs.indexOf(me), 1);
      if (before && before.isConnected) before.focus();
    };
  }, []);
}

/* title, close(), size: small|medium|large, foot: the row of buttons. */
function Dialog({ title, close, size = "medium", foot, children, name = "" }) {
  const box = useRef(null);
  const id = useRef("dialog" + newId().slice(0, 8)).current;
  useTrap(box, close);
  return html`<div class="veil" onmousedown=${(event) => event.target === event.currentTarget && (event.preventDefault())}>
    <section class=${"dialog " + size + " " + name} role="dialog" aria-modal="true" aria-labelledby=${id} tabindex="-1" ref=${box}>
      <div class="dialog-head"><h2 id=${id}>${title}</h2>
        <button type="button" class="bare" aria-label="关闭" onclick=${close}><${CloseIcon}/></button></div>
      <div class="dialog-body">${children}</div>
      ${foot && html`<div class="dialog-foot">${foot}</div>`}
    </section>
  </div>`;
}

/* A dialog that does one thing: `run` may fail, then it says why and stays. */
function useDoing(close) {
  const [state, setState] = useState({ busy: false, error: "" });
  const run = async (work) => {
    if (state.busy) return;
    setState({ busy: true, error: "" });
    try {
      await work();
      close();
    } catch (error) {
      setState({ busy: false, error: reasonWords(error) });
    }
  };
  return { ...state, run, say: (error) => setState({ busy: false, error }), rest: () => setState((now) => ({ ...now, busy: false })) };
}

const DoingError = ({ doing }) => html`<p class="form-error" role="alert">${doing.error}</p>`;

const DialogButtons = ({ doing, label, run, close, danger, disabled }) => html`
  <${DoingError} doing=${doing}/>
  <button type="button" onclick=${close}>取消</button>
  <button type="button" class=${danger ? "danger" : "primary"} aria-disabled=${String(Boolean(doing.busy || disabled))}
    onclick=${() => !disabled && run()}>${doing.busy ? "请稍候…" : label}</button>`;
