/* Storage, ids and waiting times that every other part uses. */
const { html, render, Component, useState, useEffect, useLayoutEffect, useRef } = htmPreact;

const MAX_TEXT = 2000;
const SHOWN_AT_ONCE = 200;
const HUMAN_WORD = "转人工";
const HOTLINE = "95598";

/* localStorage may be forbidden (private windows) or full; then the page's own memory has to do. */
const store = {
  memory: new Map(),
  read(key, fallback) {
    if (this.memory.has(key)) return this.memory.get(key);
    try {
      const raw = localStorage.getItem("dianfu:" + key);
      return raw === null ? fallback : JSON.parse(raw);
    } catch {
      return fallback;
    }
  },
  write(key, value) {
    try {
      localStorage.setItem("dianfu:" + key, JSON.stringify(value));
      this.memory.delete(key);
    } catch {
      this.memory.set(key, value);
    }
  },
  remove(key) {
    this.memory.delete(key);
    try {
      localStorage.removeItem("dianfu:" + key);
    } catch {
      /* nothing was stored there */
    }
  },
};

/* crypto.randomUUID exists on secure origins only; a test installation may be plain http. */
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

/* A short one-way name for a customer (cyrb53), so that no customer number stands in a storage key. */
function digest(text) {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (b >>> 0).toString(16).padStart(8, "0") + (a >>> 0).toString(16).padStart(8, "0");
}

/* The `sub` of a token, read without verifying: it only chooses a drawer, the server decides who this is. */
function subjectOf(token) {
  try {
    const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (c) => c.charCodeAt(0));
    return String(JSON.parse(new TextDecoder().decode(bytes)).sub ?? token);
  } catch {
    return token;
  }
}

function customerKey(token) {
  return token ? "c" + digest(subjectOf(token)) : "anonymous";
}

/* Doubling waiting time with jitter, in milliseconds, so that a thousand pages do not come back together. */
function backoff(tries, first = 500, most = 30000) {
  return Math.min(most, first * 2 ** tries) * (0.5 + Math.random() / 2);
}

/* One tab at a time where the browser can do it; the server's client ids keep us right where it cannot. */
function exclusively(name, work) {
  return navigator.locks ? navigator.locks.request("dianfu:" + name, work) : work();
}
