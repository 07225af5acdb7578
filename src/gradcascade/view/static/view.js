// Asks whether there is a new report, and puts it in the place of the old one at the same place on the page.
// What was chosen in the charts, the report's own script keeps for its path in this tab.
"use strict";

const REPORT = "report/index.html";
const EVERY = 1000;
const place = document.getElementById("place");
const words = document.getElementById("words");

let shown = "";
let frame = null;

// Whether the reader has followed a link out of the report, to a figure's file, say. Such a file may not be looked at.
function away() {
  try {
    return !frame.contentWindow.location.pathname.endsWith(REPORT);
  } catch {
    return true;
  }
}

function openDetails(page) {
  return [...page.querySelectorAll("details")].map((part) => part.open);
}

function remembered() {
  if (!frame || away()) return null;
  const view = frame.contentWindow;
  return { x: view.scrollX, y: view.scrollY, hash: view.location.hash, open: openDetails(view.document) };
}

function restore(view, was) {
  const parts = view.document.querySelectorAll("details");
  if (parts.length === was.open.length) parts.forEach((part, index) => { part.open = was.open[index]; });
  view.scrollTo({ left: was.x, top: was.y, behavior: "instant" });
}

function load(version) {
  shown = version;
  const next = document.createElement("iframe");
  next.title = "Report";
  next.className = "coming";
  next.src = REPORT + (frame ? frame.contentWindow.location.hash : location.hash);  // never while away
  next.addEventListener("load", () => {
    if (version !== shown) { next.remove(); return; }
    const was = remembered();
    if (was) restore(next.contentWindow, was);
    for (const other of [...place.children]) if (other !== next) other.remove();
    next.className = "";
    frame = next;
    document.title = next.contentDocument.title || "gradcascade";
  }, { once: true });
  place.append(next);
}

function tell(text, measuring) {
  if (words.textContent !== text) words.textContent = text;
  document.body.classList.toggle("measuring", measuring);
}

async function ask() {
  try {
    const answer = await fetch("version", { cache: "no-store" });
    const state = await answer.json();
    tell(state.words, state.measuring);
    if (state.version && state.version !== shown && !(frame && away())) load(state.version);
  } catch {
    tell("gradcascade view has ended; start it again to follow the study.", false);
  }
  setTimeout(ask, EVERY);
}

ask();
