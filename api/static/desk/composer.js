/* The place to write: an answer to the customer or a note to colleagues, each with a draft of its own, so that what
   was meant for the one never goes to the other. */
const REPLY_MAX = 20000;
const NOTE_MAX = 2000;
const TYPING_EVERY_MS = 3000;
const OPEN_BLANK = /【[^】]{0,20}】/;

Object.assign(Desk.prototype, {
  draftSlot(id) {
    return "desk:" + this.me.login + ":draft:" + id;
  },

  draft(id) {
    return { reply: "", note: "", mode: "reply", ...store.read(this.draftSlot(id), {}) };
  },

  keepDraft(id, change) {
    const next = { ...this.draft(id), ...change };
    if (next.reply || next.note || next.mode !== "reply") store.write(this.draftSlot(id), next);
    else store.remove(this.draftSlot(id));
  },

  /* All drafts of this agent on this computer. */
  drafts() {
    const start = "dianfu:" + this.draftSlot("");
    try {
      return Object.keys(localStorage).filter((key) => key.startsWith(start)).map((key) => this.draft(key.slice(start.length)));
    } catch {
      return [];
    }
  },

  wipe() {
    const start = "dianfu:desk:" + this.me?.login + ":";
    try {
      sessionStorage.removeItem(this.openSlot);
      for (const key of Object.keys(localStorage)) if (key.startsWith(start)) localStorage.removeItem(key);
    } catch {
      /* nothing is kept where nothing may be stored */
    }
  },

  /* A refused message goes back to where it was written. */
  takeBack(entry) {
    this.sends.drop(entry.client_id);
    const { reply } = this.draft(entry.conversation_id);
    this.keepDraft(entry.conversation_id, { reply: [reply, entry.body.text].filter(Boolean).join("\n"), mode: "reply" });
    this.composer?.reload();
  },
});

function useDraft(desk, talk) {
  const [draft, setDraft] = useState(() => desk.draft(talk.id));
  const change = (more) => {
    desk.keepDraft(talk.id, more);
    setDraft((before) => ({ ...before, ...more }));
  };
  return [draft, change, () => setDraft(desk.draft(talk.id))];
}

/* Tells the customer and colleagues that somebody writes; stops by itself. */
function useTelling(desk, talk) {
  const told = useRef(0);
  return (on) => {
    if (on && Date.now() - told.current < TYPING_EVERY_MS) return;
    if (!on && !told.current) return;
    told.current = on ? Date.now() : 0;
    desk.stream.send({ kind: "typing", conversation_id: talk.id, on });
  };
}

function usePhotos(desk, talk) {
  const [photos, setPhotos] = useState([]);
  const put = (key, change) => setPhotos((all) => all.map((one) => (one.key === key ? { ...one, ...change } : one)));
  const drop = (key) => setPhotos((all) => all.filter((one) => one.key !== key));
  const send = async (one) => {
    put(one.key, { error: "" });
    try {
      const blob = await madeSmall(one.file);
      if (blob.size > PHOTO_BYTES) throw new DeskProblem(413, { detail: "图片太大，请发 10 MB 以内的" });
      const { upload_id } = await desk.api.upload(talk.path + "/uploads", blob);
      desk.sends.add(talk.id, { upload_id }, PHOTO_WORD);
      drop(one.key);
    } catch (error) {
      put(one.key, { error: reasonWords(error) });
    }
  };
  const add = (files) => {
    for (const file of files) {
      const one = { key: newId(), file, error: PHOTO_KINDS.includes(file.type) ? "" : "只能发照片（JPG、PNG 或 WebP）", final: !PHOTO_KINDS.includes(file.type) };
      setPhotos((all) => [...all, one]);
      if (!one.final) send(one);
    }
  };
  return { photos, add, send, drop };
}

const PhotoChips = ({ photos }) => photos.photos.length > 0 && html`<ul class="photo-chips">${photos.photos.map(
  (one) => html`<li class=${one.error ? "refused" : ""} role=${one.error ? "alert" : "status"}><${PhotoIcon}/><span>${brief(one.file.name, 24)}：${one.error || "正在上传…"}</span>
    ${one.error && !one.final && html`<button type="button" class="link" onclick=${() => photos.send(one)}>重试</button>`}
    ${one.error && html`<button type="button" class="link" onclick=${() => photos.drop(one.key)}>去掉</button>`}</li>`,
)}</ul>`;

function Composer({ desk, talk }) {
  const [draft, change, reload] = useDraft(desk, talk);
  const [warned, setWarned] = useState(false);
  const [busy, setBusy] = useState(false);
  const box = useRef(null);
  const composing = useRef(false);
  const tell = useTelling(desk, talk);
  const photos = usePhotos(desk, talk);
  const drafts = useDrafts(desk, talk);
  const note = draft.mode === "note" || !talk.writable;
  const text = note ? draft.note : draft.reply;
  const most = note ? NOTE_MAX : REPLY_MAX;
  const set = (value) => {
    change(note ? { note: value } : { reply: value });
    setWarned(false);
    if (!note) tell(Boolean(value));
  };
  const focus = (select) => setTimeout(() => {
    const area = box.current;
    if (!area) return;
    area.focus();
    const blank = select && OPEN_BLANK.exec(area.value);
    if (blank) area.setSelectionRange(blank.index, blank.index + blank[0].length);
    else area.setSelectionRange(area.value.length, area.value.length);
  }, 0);
  const insert = (words, replace) => {
    set(replace || !text.trim() ? words : text.replace(/\s*$/, "\n") + words);
    focus(true);
  };
  const canned = useCanned(desk, talk, note ? "" : text, insert);
  const setMode = (mode) => {
    change({ mode });
    focus();
  };
  useEffect(() => {
    desk.composer = { focus, reload, insert, toggle: () => setMode(note ? "reply" : "note"), slash: () => (setMode("reply"), change({ reply: "/" })) };
    if (!desk.dialog) focus();
    return () => tell(false);
  }, [talk.id]);
  if (desk.composer) desk.composer.toggle = () => talk.writable && setMode(note ? "reply" : "note");
  const send = async () => {
    const words = text.trim();
    if (!words || words.length > most || busy) return;
    if (note) return sendNote(words);
    if (OPEN_BLANK.test(words) && !warned) {
      setWarned(true);
      return focus(true);
    }
    change({ reply: "" });
    tell(false);
    setWarned(false);
    desk.sends.add(talk.id, { text: words }, words);
    return focus();
  };
  const sendNote = async (words) => {
    setBusy(true);
    try {
      talk.addNote(await desk.api.post(talk.path + "/notes", { text: words }));
      change({ note: "", ...(talk.writable ? { mode: "reply" } : {}) });
    } catch (error) {
      failed(error);
    }
    setBusy(false);
    focus();
  };
  /* An Enter that confirms a candidate of a Chinese input method does not send. */
  const onkeydown = (event) => {
    if (event.isComposing || event.keyCode === 229 || composing.current || canned.onkeydown(event)) return;
    if (event.key !== "Enter" || event.shiftKey || event.altKey) return;
    event.preventDefault();
    send();
  };
  const pasted = (event) => {
    const files = [...(event.clipboardData || event.dataTransfer)?.files || []];
    if (!files.length || note) return;
    event.preventDefault();
    photos.add(files);
  };
  return html`<section class=${"composer" + (note ? " note" : "")} aria-label=${note ? "写内部备注" : "回复客户"} ondrop=${pasted} ondragover=${(event) => event.preventDefault()}>
    ${!note && html`<${DraftChips} drafts=${drafts} take=${(words) => insert(words)}/>`}
    <${PhotoChips} photos=${photos}/>
    ${!note && html`<${QuotaLine} desk=${desk} talk=${talk}/>`}
    <${ComposerBar} desk=${desk} talk=${talk} note=${note} setMode=${setMode} slash=${() => (change({ reply: "/" }), focus())} photos=${photos}/>
    <div class="write"><${CannedList} canned=${canned}/>
      <div class="grow" data-text=${text}>
        <textarea ref=${box} rows="2" value=${text} aria-label=${note ? "内部备注，客户看不到" : "回复客户"} aria-describedby="composer-help"
          aria-autocomplete=${note ? null : "list"} aria-controls=${canned.open ? "canned-list" : null} aria-activedescendant=${canned.open && canned.list.length ? "canned" + canned.at : null}
          placeholder=${note ? "写给同事看的备注，客户看不到" : "回复客户，输入 / 选常用语"}
          oninput=${(event) => set(event.target.value)} onkeydown=${onkeydown} onpaste=${pasted} onblur=${() => tell(false)}
          oncompositionstart=${() => (composing.current = true)} oncompositionend=${() => setTimeout(() => (composing.current = false), 30)}></textarea>
      </div>
      <button type="button" class=${"send-it " + (note ? "keep" : "primary")} aria-disabled=${String(!text.trim() || text.trim().length > most || busy)} onclick=${send}>
        <${note ? NoteGlyph : SendIcon}/>${note ? "存备注" : "发送"}</button></div>
    <p class="composer-help" id="composer-help">
      ${warned ? html`<b class="failure" role="alert">还有没填的【 】，改好再发；确定不改就再按一次 Enter</b>` : note ? html`<b>备注模式：客户看不到</b>` : html`<kbd>Enter</kbd> 发送 <kbd>Shift Enter</kbd> 换行 <kbd>/</kbd> 常用语`}
      ${text.length > most - 200 && html`<span class=${text.trim().length > most ? "failure" : ""}>${text.length} / ${most} 字</span>`}
    </p>
  </section>`;
}

const NoteGlyph = () => html`<${Glyph} name="note"/>`;

function ComposerBar({ desk, talk, note, setMode, slash, photos }) {
  const chooser = useRef(null);
  const chosen = (event) => {
    photos.add([...event.target.files]);
    event.target.value = "";
  };
  return html`<div class="composer-bar">
    <div class="modes" role="group" aria-label="写给谁">
      <button type="button" aria-pressed=${String(!note)} disabled=${!talk.writable} onclick=${() => setMode("reply")}>回复客户</button>
      <button type="button" aria-pressed=${String(note)} title="Alt+N" onclick=${() => setMode("note")}><${Glyph} name="note"/>内部备注</button>
    </div>
    ${!note && html`<div class="tools" role="toolbar" aria-label="发送其他内容">
      <button type="button" class="bare" onclick=${slash}><${Glyph} name="quote"/>常用语</button>
      <button type="button" class="bare" onclick=${() => chooser.current.click()}><${PhotoIcon}/>图片</button>
      <button type="button" class="bare" onclick=${() => desk.ask(CardDialog, { talk })}><${Glyph} name="card"/>卡片</button>
      <button type="button" class="bare" onclick=${() => desk.ask(FormDialog, { talk })}><${Glyph} name="order"/>表单</button>
      <input type="file" hidden multiple accept=${PHOTO_KINDS.join(",")} ref=${chooser} onchange=${chosen}/></div>`}
  </div>`;
}
