// Keeps `[data-live]` (an address of server-sent events) going. Each event lets htmx fetch what has changed; a line that
// is down, or a steward that does not answer, is said in large letters: a screen that shows nothing must not look calm.
export function live() {
  const place = document.querySelector("[data-live]");
  if (!place || !("EventSource" in window)) return;
  const blind = document.getElementById("blind");
  const said = document.getElementById("live-said");
  let timer = null;
  let version = null;
  let urgent = 0;
  let asked = 0;
  let soon = null;
  const title = document.title;

  // At most twice a second, however fast alarms come: the one that comes now is there within a second all the same.
  const changed = () => {
    clearTimeout(soon);
    soon = setTimeout(() => {
      asked = Date.now();
      document.body.dispatchEvent(new CustomEvent("hucheng:changed"));
    }, Math.max(0, asked + 500 - Date.now()));
  };

  const show = (down) => {
    if (blind) blind.hidden = !down;
    document.body.classList.toggle("is-blind", down);
  };
  const expect = () => {
    clearTimeout(timer);
    timer = setTimeout(() => show(true), 25000);
  };
  const source = new EventSource(place.dataset.live);
  source.addEventListener("changed", (event) => {
    expect();
    show(false);
    const next = JSON.parse(event.data);
    if (version !== null && next.version !== version) {
      changed();
      if (said && next.urgent > urgent) said.textContent = `${place.dataset.newAlarm} (${next.urgent})`;
    }
    ({ version, urgent } = next);
    document.title = (next.calling ? `(${next.calling}) ` : "") + title;
  });
  source.addEventListener("blind", () => show(true));
  source.onerror = () => show(true);
  expect();
  addEventListener("pagehide", () => source.close());
}
