// Keeps the page true while it is open, and lets it be put on the home screen. The page is whole without it.
const PARTS = ["h1", ".steps", ".figure", ".then", ".talk-list", ".seen", ".asked"];
let asked = false;

async function refresh() {
  if (document.hidden || asked) return;
  asked = true;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  asked = false;
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of PARTS) {
    const [now, next] = [document.querySelector(part), fresh.querySelector(part)];
    if (!now || !next || now.innerHTML === next.innerHTML) continue;
    // Nobody loses the button they are on.
    if (now.contains(document.activeElement)) continue;
    // The list itself stays: a region that is read aloud must have been there before what it says.
    if (now.matches("[aria-live]")) now.replaceChildren(...next.childNodes);
    else now.replaceWith(next);
  }
}

const base = document.body.dataset.base;
if (base) {
  const live = new EventSource(`${base}/live`);
  live.addEventListener("change", refresh);
  setInterval(refresh, 60000);
  document.addEventListener("visibilitychange", refresh);
  navigator.serviceWorker?.register(`/sw.js?language=${document.documentElement.lang}`, { scope: "/p/" }).catch(() => null);
}

if (document.body.dataset.offline !== undefined) addEventListener("online", () => location.reload());

// A message was read once it stood on the screen for a moment; where no script runs, the button says so.
const SEEN_AFTER_MS = 3000;
function readOnceSeen() {
  const list = document.querySelector(".talk-list");
  if (!base || !list) return;
  let waiting = 0;
  const watch = new IntersectionObserver((entries) => {
    if (document.hidden || !entries.some((entry) => entry.isIntersecting)) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => !document.hidden && fetch(`${base}/inbox/read`, { method: "POST" }).catch(() => null), SEEN_AFTER_MS);
  });
  const look = () => {
    watch.disconnect();
    for (const unread of list.querySelectorAll("[data-unread]")) watch.observe(unread);
  };
  new MutationObserver(look).observe(list, { childList: true });
  document.addEventListener("visibilitychange", look);
  look();
}
readOnceSeen();

const push = document.querySelector("[data-push]");
if (push && "PushManager" in window && navigator.serviceWorker) {
  push.hidden = false;
  push.addEventListener("click", async () => {
    if ((await Notification.requestPermission()) !== "granted") return;
    const worker = await navigator.serviceWorker.ready;
    const subscription = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: push.dataset.push });
    const answer = await fetch(`${base}/push`, { method: "POST", body: JSON.stringify(subscription) });
    if (answer.ok) location.reload();
  });
}
