/* Lets WeChat draw its buttons, and says what came of a tap. What was agreed to WeChat tells the server itself. */
(() => {
  const config = JSON.parse(document.getElementById("config").textContent);
  const said = config.said;
  const outside = () => {
    document.querySelector(".outside").hidden = false;
  };
  /* One template's answer is a JSON text within a JSON text: {"<id>": "{\"status\":\"accept\"}"}. */
  const statusOf = (detail, template) => {
    try {
      return JSON.parse(JSON.parse(detail.subscribeDetails)[template]).status;
    } catch {
      return "";
    }
  };
  for (const tag of document.querySelectorAll("wx-open-subscribe")) {
    const note = tag.parentElement.querySelector('[role="status"]');
    tag.addEventListener("success", (event) => {
      const status = statusOf(event.detail, tag.getAttribute("template"));
      note.textContent = status === "accept" ? said.agreed : said.declined;
    });
    tag.addEventListener("error", () => {
      note.textContent = said.failed;
    });
  }
  if (!window.wx || !config.signature || !/MicroMessenger/i.test(navigator.userAgent)) {
    outside();
    return;
  }
  document.addEventListener("WeixinOpenTagsError", outside);
  window.wx.error(outside);
  window.wx.config({
    appId: config.appId,
    timestamp: config.timestamp,
    nonceStr: config.nonceStr,
    signature: config.signature,
    jsApiList: ["checkJsApi"], /* WeChat wants at least one */
    openTagList: ["wx-open-subscribe"],
  });
})();
