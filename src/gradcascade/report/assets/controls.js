/** The choices above the charts: family, field, real or null, what is drawn beside, and the step. */
import { CHARTS } from "./charts.js";
import { nearest } from "./data.js";
import { stepWords } from "./panels.js";

/** @param {any} panels @param {any} store */
export function startControls(panels, store) {
  const choices = document.getElementById("choices");
  const fill = () => {
    const { group, data, state } = { group: panels.group, data: panels.data, state: store.state };
    const families = [...new Set(data.groups.map((g) => g.family))];
    const fields = data.groups.filter((g) => g.family === group.family).map((g) => g.field);
    const plural = (field) => data.groups.find((g) => g.field === field).plural;
    const variants = Object.keys(group.variants);
    const parts = [];
    if (families.length > 1) parts.push(menu("Family", families, state.family, (family) => store.set(chosen(data, { ...state, family }))));
    if (fields.length > 1) parts.push(radios("Field", fields, state.field, (field) => store.set(chosen(data, { ...state, field })), plural));
    parts.push(radios("Fields shown", variants, state.variant, (variant) => store.set({ variant })));
    const beside = { "": "nothing" };
    for (const name of variants) if (name !== state.variant) beside[name] = name;
    for (const field of fields) if (field !== group.field) beside[`field:${field}`] = `real ${plural(field)}`;
    parts.push(menu("Beside it", Object.keys(beside), state.beside in beside ? state.beside : "", (v) => store.set({ beside: v }), (v) => beside[v]));
    parts.push(radios("Steps", ["linear", "log"], state.logSteps ? "log" : "linear", (v) => store.set({ logSteps: v === "log" })));
    keepFocus(choices, () => choices.replaceChildren(...parts));
  };
  fill();
  store.on((changed) => {
    if (["family", "field", "variant", "beside", "logSteps"].some((name) => changed.has(name))) fill();
  });
  startSlider(panels, store);
}

/**
 * A state in which every choice exists in the data.
 * @param {any} data @param {Record<string, any>} state @returns {Record<string, any>}
 */
export function chosen(data, state) {
  const own = data.groups.filter((g) => g.family === state.family);
  const pool = own.length ? own : data.groups;
  const group = pool.find((g) => g.field === state.field) ?? pool[0];
  const variants = Object.keys(group.variants);
  return {
    family: group.family,
    field: group.field,
    variant: variants.includes(state.variant) ? state.variant : variants[0],
    beside: state.beside ?? "",
    step: group.steps[nearest(group.steps, state.step ?? (group.window[0] + group.window[1]) / 2)],
    zoom: state.family === group.family ? (state.zoom ?? null) : null,
    logSteps: state.logSteps === true,
  };
}

function startSlider(panels, store) {
  const slider = /** @type {HTMLInputElement} */ (document.getElementById("step"));
  const output = document.getElementById("step-value");
  const reset = document.getElementById("reset-zoom");
  const show = () => {
    const { steps, window } = panels.group;
    const place = nearest(steps, store.state.step);
    slider.max = String(steps.length - 1);
    slider.value = String(place);
    slider.disabled = steps.length < 2;
    const inside = steps[place] >= window[0] && steps[place] <= window[1];
    const text = stepWords(panels.group, steps[place]);
    output.textContent = inside ? `${text} (in the window)` : text;
    slider.setAttribute("aria-valuetext", output.textContent);
    reset.hidden = !store.state.zoom;
  };
  slider.addEventListener("input", () => store.set({ step: panels.group.steps[Number(slider.value)] }));
  reset.addEventListener("click", () => {
    store.set({ zoom: null });
    slider.focus();
  });
  store.on(show);
  show();
}

/** @param {any} panels @param {any} store @param {number} by how many steps, or Infinity */
export function moveStep(panels, store, by) {
  const { steps } = panels.group;
  const place = Math.max(0, Math.min(steps.length - 1, nearest(steps, store.state.step) + by));
  store.set({ step: steps[place] });
}

/**
 * The switches of a single chart.
 * @param {string} name @param {HTMLElement} host @param {any} panels @param {any} store
 */
export function chartSwitches(name, host, panels, store) {
  const parts = [];
  if (`log:${name}` in store.state) {
    const set = (v) => store.set({ [`log:${name}`]: v === "log" });
    parts.push(radios("Vertical axis", ["linear", "log"], store.state[`log:${name}`] ? "log" : "linear", set));
  }
  parts.push(...(CHARTS[name].switches?.(panels, store) ?? []));
  host.replaceChildren(...parts);
}

let count = 0;

function radios(title, values, current, pick, words = (v) => v) {
  const set = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.textContent = title;
  const row = document.createElement("div");
  row.className = "radios";
  count += 1;
  for (const value of values) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = "radio";
    input.name = `choice-${count}`;
    input.value = value;
    input.checked = value === current;
    input.addEventListener("change", () => pick(value));
    const text = document.createElement("span");
    text.textContent = words(value);
    label.append(input, text);
    row.append(label);
  }
  set.append(legend, row);
  return set;
}

export function menu(title, values, current, pick, words = (v) => v) {
  const label = document.createElement("label");
  label.className = "menu";
  const text = document.createElement("span");
  text.textContent = title;
  const select = document.createElement("select");
  select.setAttribute("aria-label", title);
  for (const value of values) {
    const option = document.createElement("option");
    option.value = value;
    option.textContent = words(value);
    option.selected = value === current;
    select.append(option);
  }
  select.addEventListener("change", () => pick(select.value));
  label.append(text, select);
  return label;
}

/** Put the focus back on the same choice after the choices were made anew. */
function keepFocus(host, change) {
  const all = () => [...host.querySelectorAll("input, select")];
  const focused = /** @type {any} */ (document.activeElement);
  const had = host.contains(focused);
  const title = focused?.closest?.("fieldset, label.menu")?.firstChild?.textContent;
  change();
  if (!had) return;
  const same = all().filter((part) => part.closest("fieldset, label.menu")?.firstChild?.textContent === title);
  (same.find((part) => part.checked) ?? same[0])?.focus();
}
