/* Photos: made small on the phone, sent with a visible progress, and shown from the page's own memory. */
const PHOTO_KINDS = ["image/jpeg", "image/png", "image/webp"];
const PHOTO_BYTES = 10 * 1024 * 1024;
const PHOTO_SIDE = 2000;
const PHOTO_WORD = "[图片]";
const PHOTO_LIMIT_MS = 120000;

/* A photo of twelve million pixels costs the customer's data volume and shows no more than this. */
async function madeSmall(file) {
  if (file.size < 400000 || !window.createImageBitmap) return file;
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, PHOTO_SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(bitmap.width * scale);
    canvas.height = Math.round(bitmap.height * scale);
    const paper = canvas.getContext("2d");
    paper.fillStyle = "#fff";
    paper.fillRect(0, 0, canvas.width, canvas.height);
    paper.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const small = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
    return small && small.size < file.size ? small : file;
  } catch {
    return file; /* the bridge will say what is wrong with it */
  }
}

/* A data: address is allowed by policies that forbid blob: addresses. */
function addressOf(blob) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(blob);
  });
}

/* fetch tells nothing of how far a body has got; XMLHttpRequest does. */
function sendFile(base, token, blob, { progressed, begun }) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", base + "/v1/uploads");
    request.timeout = PHOTO_LIMIT_MS;
    request.setRequestHeader("Authorization", "Bearer " + token);
    request.setRequestHeader("Content-Type", blob.type);
    request.upload.onprogress = (event) => event.lengthComputable && progressed(event.loaded / event.total);
    request.onload = () => {
      const headers = { get: (name) => request.getResponseHeader(name) };
      if (request.status !== 201) return failed(problemFrom({ status: request.status, headers }, request.responseText));
      return done(JSON.parse(request.responseText));
    };
    request.onerror = request.ontimeout = request.onabort = () => failed(new Unreachable("photo"));
    begun(request);
    request.send(blob);
  });
}

/* The photos of one conversation: those on their way, and what those in the record look like. */
class Photos {
  constructor(chat) {
    this.chat = chat;
    this.sending = [];
    this.seen = new Map();
    this.asked = new Map();
  }

  /* Say at once what the bridge would refuse, and send the rest. */
  async add(file) {
    const entry = { key: newId(), file, progress: 0, error: null };
    this.sending = [...this.sending, entry];
    if (!PHOTO_KINDS.includes(file.type)) entry.error = { detail: "只能发照片（JPG、PNG 或 WebP 格式）", final: true };
    else entry.preview = await addressOf(file).catch(() => null);
    this.chat.want();
    if (entry.error) this.chat.changed();
    else await this.send(entry);
  }

  async send(entry) {
    entry.error = null;
    entry.progress = 0;
    this.chat.changed();
    try {
      entry.blob ??= await madeSmall(entry.file);
      if (entry.blob.size > PHOTO_BYTES) throw new Problem(413, { detail: "图片太大了，请发10MB以内的照片。" });
      const answer = await this.chat.sessions.within(({ token }) => this.deliver(entry, token), [401]);
      if (this.chat.outbox.stopped || !this.sending.includes(entry)) return;
      if (entry.preview) this.seen.set(answer.upload_id, entry.preview);
      this.sending = this.sending.filter((one) => one !== entry);
      this.chat.outbox.add({ upload_id: answer.upload_id, text: PHOTO_WORD });
    } catch (error) {
      const refused = error instanceof Problem && error.definitive;
      entry.error = { detail: refused ? error.message : "网络不好，没有传上去", final: refused && error.status !== 401 };
    }
    this.chat.changed();
  }

  deliver(entry, token) {
    return sendFile(this.chat.base, token, entry.blob, {
      begun: (request) => (entry.request = request),
      progressed: (share) => {
        entry.progress = Math.round(100 * share);
        this.chat.changed();
      },
    });
  }

  /* The browser cannot draw it either. */
  blank(entry) {
    entry.preview = null;
    this.chat.changed();
  }

  drop(entry) {
    this.sending = this.sending.filter((one) => one !== entry);
    entry.request?.abort();
    this.chat.changed();
  }

  /* The picture of a message, asked for once; null where the conversation no longer gives it out. */
  load(uploadId) {
    if (this.seen.has(uploadId)) return Promise.resolve(this.seen.get(uploadId));
    if (!this.asked.has(uploadId)) this.asked.set(uploadId, this.fetch(uploadId));
    return this.asked.get(uploadId);
  }

  async fetch(uploadId) {
    try {
      const { token } = await this.chat.sessions.ensure();
      const response = await fetch(this.chat.base + "/v1/uploads/" + encodeURIComponent(uploadId), {
        headers: { Authorization: "Bearer " + token },
        credentials: "omit",
        cache: "no-store",
      });
      if (!response.ok) return null;
      const address = await addressOf(await response.blob());
      this.seen.set(uploadId, address);
      return address;
    } catch {
      this.asked.delete(uploadId); /* offline: the next drawing may ask again */
      return null;
    }
  }
}

/* How a message of the customer's own is shown before the bridge's copy of it is read. */
const shownAs = (uploadId) => (uploadId ? { type: "image", card: { upload_id: uploadId } } : { type: "text" });

function PhotoMessage({ item, photos }) {
  const uploadId = item.card.upload_id;
  const [address, setAddress] = useState(photos?.seen.get(uploadId) || null);
  useEffect(() => {
    let here = true;
    if (!address && photos) photos.load(uploadId).then((found) => here && found && setAddress(found));
    return () => (here = false);
  }, [uploadId]);
  if (!address) return html`<div class="bubble">${item.text}</div>`;
  return html`<img class="photo" src=${address} alt=${item.author === "customer" ? "我发的图片" : "收到的图片"}/>`;
}

/* A photo on its way, or one that was refused. */
const SendingPhoto = ({ entry, photos }) => html`
  <li class=${"message customer first " + (entry.error ? "refused" : "pending")}>
    <span class="sr">我说：</span>
    ${entry.preview ? html`<img class="photo" src=${entry.preview} alt="我要发的图片" onerror=${() => photos.blank(entry)}/>` : html`<div class="bubble">${PHOTO_WORD}</div>`}
    ${entry.error
      ? html`<p class="meta">
          <span class="failure">未送达</span><span>${entry.error.detail}</span>
          ${!entry.error.final && html`<button type="button" class="quiet" onclick=${() => photos.send(entry)}>重试</button>`}
          <button type="button" class="quiet" onclick=${() => photos.drop(entry)}>删除</button>
        </p>`
      : html`<p class="meta">
          <progress max="100" value=${entry.progress} aria-label="图片发送进度"></progress>
          <button type="button" class="quiet" onclick=${() => photos.drop(entry)}>取消</button>
        </p>`}
  </li>`;

function PhotoButton({ chat }) {
  const chooser = useRef(null);
  const chosen = (event) => {
    for (const file of event.target.files) chat.photos.add(file);
    event.target.value = ""; /* the same photo may be chosen again */
  };
  return html`
    <button type="button" class="photo-button" aria-label="发图片" title="发图片" onclick=${() => chooser.current.click()}>
      <${PhotoIcon}/>
    </button>
    <input type="file" hidden accept=${PHOTO_KINDS.join(",")} ref=${chooser} onchange=${chosen}/>`;
}
