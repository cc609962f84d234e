// A course wider than the screen opens where the case stands.
export function openHere() {
  for (const place of document.querySelectorAll(".diagram")) {
    const here = place.querySelector(".d-here");
    if (!here || place.scrollWidth <= place.clientWidth) continue;
    const mine = here.getBoundingClientRect(), frame = place.getBoundingClientRect();
    place.scrollLeft += mine.left + mine.width / 2 - (frame.left + frame.width / 2);
  }
}
