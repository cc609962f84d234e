// Help from a paired device or link. The press is kept in this browser with its own time and identity until the city has
// it, however long the line is down; the plain form does the same where scripts do not run.
import { speak } from "./aloud.js";
import { alone, keep, waiting, forget, send } from "./help-queue.js";

const root = document.getElementById("help");
const words = JSON.parse(document.getElementById("help-words").textContent);
const token = root.dataset.token;
const form = document.getElementById("help-form");
const said = document.getElementById("help-said");
let last = "";

const button = form.querySelector("button");

/** Shows the sentence; a name in it stays on one line. Once a call is on its way the button calls again. */
function say(state, text, name = "", aloud = true) {
  root.dataset.state = state;
  if (!["idle", "closed", "refused"].includes(state)) button.textContent = words.again;
  if (text === last) return;
  last = text;
  const line = document.createElement("span");
  line.textContent = text;
  if (name && text.includes(name)) {
    const [before] = text.split(name, 1);
    const whole = document.createElement("span");
    whole.className = "nowrap";
    whole.textContent = name;
    line.replaceChildren(before, whole, text.slice(before.length + name.length));
  }
  said.replaceChildren(line);
  if (aloud && state !== "idle") speak(text);
}

async function flush() {
  if (await alone(empty)) await look();
}

/** Sends what waits, oldest first; false where something still waits or was refused. */
async function empty() {
  const presses = await waiting(token);
  for (const press of presses) {
    const sent = await send(press);
    if (sent === "gone") {
      await forget(press.id);
      say("refused", words.refused);
      return false;
    }
    if (sent !== "sent") {
      say("waiting", words.waiting);
      return false;
    }
    await forget(press.id);
    say("sent", words.sent);
  }
  return true;
}

async function look() {
  try {
    const answer = await fetch(`/help/${token}/state`, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (!answer.ok) return;
    const now = await answer.json();
    if (now.state === "coming") say("coming", now.text, now.name);
    else if (now.state === "calling") say("calling", now.text);
    else if (now.state === "closed" && root.dataset.state !== "idle") say("closed", now.text);
  } catch {
    /* no line: what was said stands */
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  await keep({ id: crypto.randomUUID(), token, pressed_at: new Date().toISOString() });
  say("sending", words.sending);
  const registration = await navigator.serviceWorker?.getRegistration("/help/");
  registration?.sync?.register("help").catch(() => {});
  await flush();
});

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/help-worker.js", { scope: "/help/" }).catch(() => {});
  navigator.serviceWorker.ready.then((registration) => {
    registration.active?.postMessage({ keep: location.pathname });
    root.dataset.offline = "ready";
  });
}
addEventListener("online", flush);
// Often while a press waits or an answer is awaited; an idle page asks nothing.
setInterval(() => {
  if (!["idle", "closed", "refused"].includes(root.dataset.state)) flush();
}, 5000);
flush();
