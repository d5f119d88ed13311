/* The pages of the console beside the conversations. A file of the supervisor's registers its page here:

     registerTab({ key: "wall", label: "监控", role: "supervisor", component: Wall });

   `badge`, if there is one, is drawn with { desk } beside the label. `component` is drawn with { desk, api, me }:
     api.get(path) / post(path, body) / put(path, body) / del(path)   paths below /v1/desk, e.g. "/wall"; JSON answers;
                                  they throw Problem {status, code, message (Chinese), document} or Unreachable
     me                           {id, login, name, staff_no, role, skills, capacity, status}
     desk.options                 what GET /options said;   desk.now()   the server's present time as a Date
     desk.show(conversationId)    opens a conversation in the first tab (read only, if it is somebody else's)
     desk.onEvent(fn)             every event of the stream; returns a function that ends it
   Ready to use in all files: html, useState, useEffect, useRef, toast(text, tone), Dialog, Field, Icon, Glyph, Spinner, Empty,
   useAsk(load, [deps]) -> {value, error, loading, reload}, useTick() (redraws each second), waitWords(seconds),
   timeOf/dayOf(at), Waited({since}), SKILLS, REASONS, STATUS. */
const TAB_ROLES = { agent: 0, supervisor: 1, administrator: 2 };
const tabs = [];

function registerTab(tab) {
  if (!tab.key || !tab.label || !tab.component) throw new TypeError("a tab needs key, label and component");
  tabs.push({ role: "agent", ...tab });
}

const mayUse = (me, role) => (TAB_ROLES[me?.role] ?? -1) >= TAB_ROLES[role];
const tabsFor = (me) => tabs.filter((tab) => mayUse(me, tab.role));
