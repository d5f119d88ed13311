/* Calls to /v1/insight: the same cookie, the same token against forgery, the same problems as the desk's. */
const INSIGHT = "/v1/insight";
const PATIENCE_MS = 60000; // a year of figures is reckoned longer than a message takes

class InsightApi extends DeskApi {
  async ask(method, path, { body, limit = PATIENCE_MS } = {}) {
    const aborter = new AbortController();
    const timer = setTimeout(() => aborter.abort(), limit);
    const headers = { Accept: "application/json" };
    if (method !== "GET" && this.csrf) headers["X-CSRF-Token"] = this.csrf;
    if (body) headers["Content-Type"] = "application/json";
    try {
      const response = await fetch(INSIGHT + path, {
        method, headers, body: body && JSON.stringify(body), credentials: "same-origin", cache: "no-store", signal: aborter.signal,
      });
      return this.read(response, await response.text(), path);
    } catch (error) {
      throw error instanceof Problem ? error : new Unreachable(aborter.signal.aborted ? "等了一分钟，服务器还没有算完" : "网络不通，没有连上服务器");
    } finally {
      clearTimeout(timer);
    }
  }

  patch(path, body = {}) {
    return this.ask("PATCH", path, { body });
  }
}

/* Reads for a component, and again when `version` has moved on; what is shown stays until the new answer is there.
   `path` null: nothing to read. After another path the old answer is dropped unless `keep`. */
function useRead(app, path, { version = app.live.version, keep = true } = {}) {
  const [state, setState] = useState({ value: null, error: null, loading: true, path: null });
  const run = useRef(0);
  const load = async () => {
    const mine = ++run.current;
    setState((before) => ({ ...before, loading: true }));
    try {
      const value = await app.api.get(path);
      if (mine === run.current) setState({ value, error: null, loading: false, path });
    } catch (error) {
      if (mine === run.current) setState((before) => ({ ...before, error, loading: false, path: before.path }));
    }
  };
  useEffect(() => {
    if (path !== null) load();
    return () => {
      run.current++;
    };
  }, [path, version, app.entered]);
  const value = keep || state.path === path ? state.value : null;
  return { ...state, value, fresh: state.path === path && !state.loading, reload: load };
}
