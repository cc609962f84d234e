// Counts down to `data-due` (ISO time) by the server's clock, once a second; the server's text stands where this does not run.
const skew = (() => {
  const served = Date.parse(document.querySelector('meta[name="served-at"]')?.content || "");
  return Number.isNaN(served) ? 0 : served - Date.now();
})();

function paint() {
  for (const element of document.querySelectorAll("[data-due]")) {
    const left = Math.round((Date.parse(element.dataset.due) - Date.now() - skew) / 1000);
    const late = left < 0;
    const seconds = Math.abs(left);
    const text =
      seconds < 3600
        ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
        : `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} min`;
    element.textContent = (late ? element.dataset.late || "−" : "") + text;
    element.classList.toggle("is-late", late);
  }
}

export function countdown() {
  paint();
  setInterval(paint, 1000);
  document.addEventListener("htmx:after:swap", paint);
}
