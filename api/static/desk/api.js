/* Calls to /v1/desk. The cookie says who we are, the token of the session goes with everything that writes. */
const DESK = "/v1/desk";

/* A problem document with its code, e.g. already_taken, and whatever else it tells. */
class DeskProblem extends Problem {
  constructor(status, document, retryAfter) {
    super(status, document, retryAfter);
    this.code = document.code || "";
    this.document = document;
  }
}

class DeskApi {
  constructor({ signedOut }) {
    this.csrf = null;
    this.signedOut = signedOut;
  }

  get(path) {
    return this.ask("GET", path);
  }

  post(path, body = {}) {
    return this.ask("POST", path, { body });
  }

  put(path, body = {}) {
    return this.ask("PUT", path, { body });
  }

  del(path, body) {
    return this.ask("DELETE", path, { body });
  }

  /* A photo as the raw body. */
  upload(path, blob) {
    return this.ask("POST", path, { blob, limit: 120000 });
  }

  async ask(method, path, { body, blob, limit = CALL_LIMIT_MS } = {}) {
    const aborter = new AbortController();
    const timer = setTimeout(() => aborter.abort(), limit);
    const headers = { Accept: "application/json" };
    if (method !== "GET" && this.csrf) headers["X-CSRF-Token"] = this.csrf;
    if (body) headers["Content-Type"] = "application/json";
    if (blob) headers["Content-Type"] = blob.type;
    try {
      const response = await fetch(DESK + path, {
        method,
        headers,
        body: body ? JSON.stringify(body) : blob,
        credentials: "same-origin",
        cache: "no-store",
        signal: aborter.signal,
      });
      return this.read(response, await response.text(), path);
    } catch (error) {
      throw error instanceof Problem ? error : new Unreachable("网络不通，没有连上服务器");
    } finally {
      clearTimeout(timer);
    }
  }

  read(response, text, path) {
    if (response.ok) return text ? JSON.parse(text) : null;
    const { status } = response;
    if (status === 401 && path !== "/login" && path !== "/me") this.signedOut();
    let document = {};
    try {
      document = JSON.parse(text);
    } catch {
      /* a proxy's own page */
    }
    const seconds = Number(response.headers.get("Retry-After"));
    throw new DeskProblem(status, document, seconds > 0 ? seconds * 1000 : null);
  }
}

/* What went wrong, in one Chinese sentence. */
const reasonWords = (error) =>
  error instanceof Problem || error instanceof Unreachable ? error.message : "页面出了点问题，请再试一次";

/* Loads something for a component, again when what it depends on changes; late answers are dropped. */
function useAsk(load, depends) {
  const [state, setState] = useState({ value: null, error: null, loading: true });
  const run = useRef(0);
  const reload = () => {
    const mine = ++run.current;
    setState((before) => ({ ...before, loading: true, error: null }));
    Promise.resolve()
      .then(load)
      .then((value) => mine === run.current && setState({ value, error: null, loading: false }))
      .catch((error) => mine === run.current && setState((before) => ({ ...before, error, loading: false })));
  };
  useEffect(() => {
    reload();
    return () => {
      run.current++;
    };
  }, depends);
  return { ...state, reload };
}
