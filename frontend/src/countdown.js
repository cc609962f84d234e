// Counts down to `data-due` (ISO time) by the server's clock, once a second; the server's text stands where this does not run.
const skew = (() => {
  const served = Date.parse(document.querySelector('meta[name="served-at"]')?.content || "");
  return Number.isNaN(served) ? 0 : served - Date.now();
})();

const zh = document.documentElement.lang.startsWith("zh");

/** A length of time as people read it, always with its units: seconds up to ten minutes, then minutes, hours, days. */
function spoken(seconds) {
  const minutes = Math.floor(seconds / 60), hours = Math.floor(seconds / 3600), days = Math.floor(seconds / 86400);
  if (minutes < 1) return zh ? `${seconds} 秒` : `${seconds} s`;
  if (minutes < 10) return zh ? `${minutes} 分 ${seconds % 60} 秒` : `${minutes} min ${seconds % 60} s`;
  if (hours < 1) return zh ? `${minutes} 分` : `${minutes} min`;
  if (days < 2) return zh ? `${hours} 小时 ${minutes % 60} 分` : `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return zh ? `${days} 天 ${hours % 24} 小时` : `${days} days ${hours % 24} h`;
}

function paint() {
  for (const element of document.querySelectorAll("[data-due]")) {
    const left = Math.round((Date.parse(element.dataset.due) - Date.now() - skew) / 1000);
    const late = left < 0;
    const seconds = Math.abs(left);
    element.textContent = (late ? element.dataset.late || "−" : element.dataset.in || "") + spoken(seconds);
    element.classList.toggle("is-late", late);
  }
}

export function countdown() {
  paint();
  setInterval(paint, 1000);
  document.addEventListener("htmx:after:swap", paint);
}
