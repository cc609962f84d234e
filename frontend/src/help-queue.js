// Presses that the city does not have yet, in this browser's own store; shared by the page and its service worker.
function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("hucheng-help", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("presses", { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function run(mode, work) {
  const db = await open();
  try {
    return await new Promise((resolve, reject) => {
      const change = db.transaction("presses", mode);
      const request = work(change.objectStore("presses"));
      change.oncomplete = () => resolve(request.result);
      change.onerror = change.onabort = () => reject(change.error);
    });
  } finally {
    db.close();
  }
}

export const keep = (press) => run("readwrite", (store) => store.put(press));
export const forget = (id) => run("readwrite", (store) => store.delete(id));
export const waiting = async (token) =>
  (await run("readonly", (store) => store.getAll()))
    .filter((press) => !token || press.token === token)
    .sort((a, b) => (a.pressed_at < b.pressed_at ? -1 : 1));

/** Page and worker never send at the same time: each press goes out once. */
export const alone = (work) => (navigator.locks ? navigator.locks.request("hucheng-help", work) : work());

/** "sent" when the city has it for good, "gone" when this link is no longer valid, "later" otherwise. */
export async function send(press) {
  try {
    const answer = await fetch(`/help/${press.token}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ press_id: press.id, pressed_at: press.pressed_at, sent_at: new Date().toISOString() }),
    });
    if (answer.ok) return "sent";
    return [401, 403, 404, 410].includes(answer.status) ? "gone" : "later";
  } catch {
    return "later";
  }
}
