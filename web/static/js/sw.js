// The service worker. It keeps the pages that say that there is no link, and what they are made of; nothing of what the
// centre tells a person is kept here. What is shared from another application it puts aside for Phát ngay.
// LOA stands above: see web/pages/shell.py. A new worker takes over at once: none of our pages depends on which one runs.
importScripts(LOA.store);
const NAME = `loa-${LOA.version}`;

self.addEventListener("install", (event) => {
  const kept = caches.open(NAME).then((cache) => cache.addAll(LOA.keep.map((path) => new Request(path, { cache: "no-cache" }))));
  event.waitUntil(kept.then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    for (const name of await caches.keys()) if (name.startsWith("loa-") && name !== NAME) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

const kept = async (path) => (await (await caches.open(NAME)).match(path)) ?? Response.error();

// What a phone shares: a sound, or a text. It waits in the browser until the page for saying it is open.
async function take(request) {
  const given = await request.formData();
  const file = given.get("file"), text = [given.get("title"), given.get("text")].filter(Boolean).join("\n");
  const shared = { at: Date.now(), ...(file?.size ? { file } : {}), ...(text ? { text } : {}) };
  await self.loa.store.put("shared", shared, "shared");
  return kept(LOA.opening);
}

self.addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  if (request.method === "POST" && url.pathname === "/shared") {
    event.respondWith(take(request));
    return;
  }
  if (request.mode === "navigate") {
    // Not sent and not answered look the same from here: the page says that it is to be taken for not sent. But Back and
    // Forward to an answer ask the browser's memory alone, which keeps none of ours: nothing is sent, and no link is lost.
    const past = request.isHistoryNavigation || request.cache === "only-if-cached";
    const instead = request.method !== "POST" ? LOA.offline : past ? LOA.past : LOA.unsent;
    event.respondWith(fetch(request).catch(() => kept(instead)));
    return;
  }
  const path = url.pathname + url.search;
  if (request.method === "GET" && url.pathname.startsWith("/static/") && LOA.keep.includes(path)) event.respondWith(
    kept(path).then((found) => (found.ok ? found : fetch(request))),
  );
});
