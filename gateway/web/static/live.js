// Live updates: one event stream a page, told on as `live` events whose detail is {kind: [id, …]}.
export function startLive() {
  const notice = document.querySelector("[data-offline]");
  let lost = 0;
  let timer = 0;
  // Devices change with every message, so the stream tells of the one that the page is about.
  const watched = document.body.dataset.watch;
  const source = new EventSource(watched ? `/live?device=${encodeURIComponent(watched)}` : "/live");
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
    lost += 1;
    document.documentElement.dataset.live = "off";
    clearTimeout(timer);
    timer = setTimeout(() => { notice.hidden = false; }, 3000);
  });
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
