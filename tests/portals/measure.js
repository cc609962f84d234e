([least, smallest]) => {
  const bad = [];
  const html = (element) => element.outerHTML.slice(0, 90);
  const wide = document.documentElement.scrollWidth;
  if (wide > window.innerWidth + 1) bad.push(`wider than the window: ${wide} > ${window.innerWidth}`);
  const seen = (element) =>
    element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && element.getBoundingClientRect().width > 1;

  // Targets: whatever can be pressed, but for links inside a sentence.
  for (const element of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")) {
    if (!seen(element) || element.classList.contains("skip")) continue;
    const { width, height } = (element.closest("label.choice") || element).getBoundingClientRect();
    const inline = getComputedStyle(element).display === "inline";
    if (inline && element.parentElement.innerText.trim() !== element.innerText.trim()) continue;
    if (height < least - 0.5 || width < least - 0.5) bad.push(`target ${Math.round(width)}x${Math.round(height)}: ${html(element)}`);
  }

  // Text: nothing smaller than the view promises.
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = new Set();
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || told.has(element.className)) continue;
    if (element.closest("svg, script, style, .hush, canvas") || !seen(element)) continue;
    const size = parseFloat(getComputedStyle(element).fontSize);
    if (size < smallest - 0.1) {
      told.add(element.className);
      bad.push(`text ${size}px: ${html(element)}`);
    }
  }
  return bad;
}
