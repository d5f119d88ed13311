/* Calls to the bridge, and the ways in which they fail. */
const CALL_LIMIT_MS = 30000;

/* No answer came: offline, DNS, a proxy, or the time limit. Worth trying again. */
class Unreachable extends Error {}

/* The bridge answered, but has not taken the message into its log. Worth trying again. */
class NotLogged extends Error {}

/* The bridge answered with a problem document (RFC 9457). */
class Problem extends Error {
  constructor(status, document, retryAfter) {
    super(document.detail || document.title || "请求未能完成（" + status + "）");
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /* Sending the same thing again would be refused again. */
  get definitive() {
    return this.status >= 400 && this.status < 500 && this.status !== 429 && this.status !== 408;
  }
}

async function call(base, method, path, { token, body } = {}) {
  const aborter = new AbortController();
  const limit = setTimeout(() => aborter.abort(), CALL_LIMIT_MS);
  const headers = {};
  if (token) headers.Authorization = "Bearer " + token;
  if (body) headers["Content-Type"] = "application/json";
  try {
    const response = await fetch(base + path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      credentials: "omit",
      cache: "no-store",
      signal: aborter.signal,
    });
    const text = await response.text();
    if (!response.ok) throw problemFrom(response, text);
    return JSON.parse(text);
  } catch (error) {
    throw error instanceof Problem ? error : new Unreachable(String(error));
  } finally {
    clearTimeout(limit);
  }
}

/* A proxy in between may answer with a page of its own instead of a problem document. */
function problemFrom(response, text) {
  const seconds = Number(response.headers.get("Retry-After"));
  let document = {};
  try {
    document = JSON.parse(text);
  } catch {
    /* keep the plain status */
  }
  return new Problem(response.status, document, seconds > 0 ? seconds * 1000 : null);
}
