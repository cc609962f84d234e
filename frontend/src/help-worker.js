// Lets the help page open and take a press without a line, and sends what waits as soon as there is one.
import { alone, forget, send, waiting } from "./help-queue.js";

/* global ASSETS */
const CACHE = "hucheng-help-" + ASSETS.join("-");

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(CACHE).then((cache) => cache.addAll(ASSETS.map((name) => `/static/dist/${name}`))).then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name.startsWith("hucheng-help-") && name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (url.pathname.startsWith("/static/dist/")) {
    event.respondWith(caches.match(request).then((kept) => kept || fetch(request)));
  } else if (request.mode === "navigate") {
    event.respondWith(page(request));
  }
});

async function page(request) {
  const cache = await caches.open(CACHE);
  try {
    const fresh = await fetch(request);
    if (fresh.ok) await cache.put(request, fresh.clone());
    return fresh;
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}

// The first visit is not under this worker yet: the page asks to be kept.
self.addEventListener("message", (event) => {
  if (event.data?.keep) event.waitUntil(caches.open(CACHE).then((cache) => cache.add(event.data.keep)));
});

self.addEventListener("sync", (event) => {
  if (event.tag === "help") event.waitUntil(alone(flush));
});

async function flush() {
  for (const press of await waiting()) {
    const sent = await send(press);
    if (sent === "later") throw new Error("no line yet");
    if (sent === "sent") await forget(press.id); // a press that was refused stays, for the page to say so
  }
}
