() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const own = getComputedStyle(element);
  const around = getComputedStyle(element.closest("label.choice") || element);
  const label = element.labels && element.labels[0] ? element.labels[0].innerText : "";
  const text = label || element.innerText || element.getAttribute("aria-label") || "";
  const ringed = own.outlineStyle !== "none" || own.boxShadow !== "none" || around.outlineStyle !== "none";
  return {
    text: text.replace(/\s+/g, " ").trim(),
    name: element.name || "",
    value: element.value || "",
    seen: ringed && element.getBoundingClientRect().width > 0,
  };
}
