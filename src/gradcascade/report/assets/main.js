/** Starts the page: tables at once, charts when they come into view. */
import { Chart } from "./chart.js";
import { CHARTS } from "./charts.js";
import { chartSwitches, chosen, moveStep, startControls } from "./controls.js";
import { copyButton } from "./csv.js";
import { readData } from "./data.js";
import { makeStore, remembered } from "./store.js";
import { Panels } from "./panels.js";
import { startTables } from "./tables.js";

const HEIGHT = 280;
const SMALL = 210;
const KEYS = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };

function start() {
  document.documentElement.classList.add("scripts");
  startTables();
  const data = readData();
  if (!data.groups.length) return;
  const kept = remembered();
  const store = makeStore({ hidden: new Set(), ...starts(), ...chosen(data, { beside: data.baseline, ...kept }) });
  const panels = new Panels(data, store.state);
  startControls(panels, store);
  const charts = [...document.querySelectorAll("article[data-chart]")].flatMap((card) => startCard(card, panels, store));
  store.on((changed) => heard(charts, changed));
}

/** @returns {Record<string, unknown>} what every chart shows at first */
function starts() {
  return Object.assign({}, ...Object.values(CHARTS).map((chart) => chart.start ?? {}));
}

/** @param {Element} card @param {Panels} panels @param {any} store @returns {Chart[]} */
function startCard(card, panels, store) {
  const name = /** @type {HTMLElement} */ (card).dataset.chart;
  const definition = CHARTS[name];
  const host = /** @type {HTMLElement} */ (card.querySelector(".charts"));
  const switches = /** @type {HTMLElement} */ (card.querySelector(".switches"));
  const title = card.querySelector("h3").textContent;
  const show = () => chartSwitches(name, switches, panels, store);
  show();
  store.on((changed) => changed.has("family") && show());
  copyButton(card.querySelector("button.copy"), () => definition.rows(panels));
  const make = (describe, height, label, heading) => {
    const own = host.appendChild(document.createElement("div"));
    if (heading) own.appendChild(document.createElement("h4")).textContent = heading;
    const chart = new Chart(own, store, describe, { height, label });
    chart.moves = definition.moves === true;
    chart.host.addEventListener("keydown", (event) => pressed(event, chart, panels, store));
    return chart;
  };
  if (!definition.parts) return [make(() => definition.describe(panels), HEIGHT, title)];
  return Object.entries(definition.parts()).map(([part, words]) =>
    make(() => definition.describe(panels, part), SMALL, `${title}: ${words}`, words));
}

/** @param {Chart[]} charts @param {Set<string>} changed */
function heard(charts, changed) {
  const only = (name) => changed.size === 1 && changed.has(name);
  for (const chart of charts) {
    if (only("step")) {
      if (chart.moves) chart.update();
      else chart.follow();
    } else if (only("hidden")) chart.showHidden();
    else if (only("zoom")) chart.applyZoom();
    else chart.update();
  }
}

/** @param {KeyboardEvent} event @param {Chart} chart @param {Panels} panels @param {any} store */
function pressed(event, chart, panels, store) {
  if (event.key === "Escape") chart.setZoom(null);
  const by = KEYS[event.key];
  if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  moveStep(panels, store, event.shiftKey ? 10 * by : by);
}

start();
