// The customer's page as an app: keeps its style at hand, says when there is no connection, shows what is pushed.
// Pages hold personal data and are never kept; without a connection a page that says so stands in for them.
const KEPT = "page-2";
const OFFLINE = `/offline/${new URL(location.href).searchParams.get("language") ?? "en"}`;
const FILES = ["/static/customer.css", "/static/tokens.css", "/static/icon.svg", "/static/customer.js", OFFLINE];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});
self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.mode === "navigate" && event.request.method === "GET" && url.pathname.startsWith("/p/")) {
    event.respondWith(fetch(event.request).catch(() => caches.match(OFFLINE)));
    return;
  }
  if (event.request.method !== "GET" || url.origin !== location.origin || !FILES.includes(url.pathname)) return;
  event.respondWith(
    fetch(event.request)
      .then((fresh) => {
        const copy = fresh.clone();
        if (fresh.ok) event.waitUntil(caches.open(KEPT).then((cache) => cache.put(event.request, copy)));
        return fresh;
      })
      .catch(() => caches.match(event.request)),
  );
});

const report = (url, state) => (url ? fetch(`${url}/${state}`, { method: "POST", keepalive: true }).catch(() => null) : null);

self.addEventListener("push", (event) => {
  const said = event.data?.json() ?? {};
  const { title, body, lang, dir, tag, url, receipt_url } = said;
  const shown = self.registration.showNotification(title || "", { body, lang, dir, tag, icon: "/static/icon-192.png", data: { url, receipt_url } });
  event.waitUntil(shown.then(() => report(receipt_url, "delivered")));
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url, receipt_url } = event.notification.data ?? {};
  // Our own pages and nothing else, whatever was pushed.
  const ours = url && new URL(url, location.origin).origin === location.origin;
  event.waitUntil(Promise.all([report(receipt_url, "read"), ours ? self.clients.openWindow(url) : null]));
});
