/* WeChat's own address needs the fragment for itself: what was asked for waits here meanwhile. */
try {
  sessionStorage.setItem("dianfu:h5:seq", location.hash);
  sessionStorage.setItem("dianfu:h5:scene", new URLSearchParams(location.search).get("scene") || "");
} catch {
  /* then the page opens at the newest message */
}
location.replace("/wechat/h5/enter");
