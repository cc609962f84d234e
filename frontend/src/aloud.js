// Reads the text of the element named by `data-read` aloud, in the language of the page; again: stops.
export function speak(text, lang) {
  if (!("speechSynthesis" in window)) return null;
  speechSynthesis.cancel();
  const words = new SpeechSynthesisUtterance(text);
  words.lang = lang || document.documentElement.lang;
  words.rate = 0.9;
  speechSynthesis.speak(words);
  return words;
}

export function readAloud() {
  for (const button of document.querySelectorAll("[data-read]")) {
    if (!("speechSynthesis" in window)) continue;
    button.hidden = false;
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-read]");
    if (!button) return;
    if (button.getAttribute("aria-pressed") === "true") {
      speechSynthesis.cancel();
      button.setAttribute("aria-pressed", "false");
      return;
    }
    const words = speak(document.querySelector(button.dataset.read)?.innerText || "");
    if (!words) return;
    button.setAttribute("aria-pressed", "true");
    words.onend = words.onerror = () => button.setAttribute("aria-pressed", "false");
  });
}
