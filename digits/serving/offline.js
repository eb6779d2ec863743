/** The service worker of the exported page: keeps its files, and answers without a network. */

const CACHE = "digits {{ version }}";
const FILES = "{{ files }}";

self.addEventListener("install", (event) => {
  const requests = FILES.map((file) => new Request(file, { cache: "reload" }));
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(requests))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const remove = (name) => name.startsWith("digits ") && name !== CACHE && caches.delete(name);
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.map(remove)))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  const found = caches.open(CACHE).then((cache) => cache.match(event.request, { ignoreSearch: true }));
  event.respondWith(found.then((response) => response || fetch(event.request)));
});
