// Live updates: one event stream a page, told on as `live` events whose detail is {kind: [id, …]}.
import { ours } from "./ours.js";

const AGAIN_MS = 3000;

export function startLive() {
  const notice = document.querySelector("[data-offline]");
  let lost = 0;
  let timer = 0;
  // Devices change with every message, so the stream tells of the one that the page is about.
  const watched = document.body.dataset.watch;
  const address = watched ? `/live?device=${encodeURIComponent(watched)}` : "/live";
  let source = null;
  let again = 0;
  function listen() {
    source?.close();
    clearTimeout(again);
    source = new EventSource(address);
    source.addEventListener("change", (event) => {
      document.dispatchEvent(new CustomEvent("live", { detail: JSON.parse(event.data) }));
    });
    source.addEventListener("open", () => {
      clearTimeout(timer);
      notice.hidden = true;
      // What changed while we could not hear is looked at once.
      if (lost) document.dispatchEvent(new CustomEvent("live", { detail: { reload: ["*"] } }));
      lost = 0;
      document.documentElement.dataset.live = "on";
    });
    source.addEventListener("error", () => {
      lose();
      // A browser gives up where the answer is no stream: from a proxy whose gateway restarts, or where one must log in.
      if (source.readyState !== EventSource.CLOSED) return;
      again = setTimeout(listen, AGAIN_MS);
      const asking = new AbortController();
      ours(address, { signal: asking.signal }).then(() => asking.abort());
    });
  }
  function lose() {
    lost += 1;
    document.documentElement.dataset.live = "off";
    if (lost === 1) timer = setTimeout(() => { notice.hidden = false; }, AGAIN_MS);
  }
  listen();
  // A stream that is cut without a word is noticed late; the browser knows earlier that its network is gone, and back.
  addEventListener("offline", () => { lose(); again = setTimeout(listen, AGAIN_MS); });
  addEventListener("online", listen);
  addEventListener("pagehide", () => source.close());
}

/** Tell whether a change concerns any of `kinds`, or one `id` of them. */
export function concerns(detail, kinds, id = null) {
  if (detail.reload) return true;
  return kinds.some((kind) => detail[kind] && (id === null || detail[kind].includes(String(id)) || detail[kind].includes("*")));
}

/** Run `task` now and then at most once every `pause` ms, however often it is asked for. */
export function paced(task, pause = 1000) {
  let running = false;
  let again = false;
  return async function run() {
    if (running) { again = true; return; }
    running = true;
    try { await task(); } finally {
      setTimeout(() => { running = false; if (again) { again = false; run(); } }, pause);
    }
  };
}
