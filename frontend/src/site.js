// What every page may use; every page works without it.
import "htmx.org/dist/htmx.esm.js";
import { live } from "./live.js";
import { readAloud } from "./aloud.js";
import { countdown } from "./countdown.js";
import { openHere } from "./diagram.js";

document.documentElement.classList.add("js");
readAloud();
countdown();
live();
openHere();

document.addEventListener("click", (event) => {
  const print = event.target.closest("[data-print]");
  if (print) window.print();
});
