/** The legend of a chart: a button for each line, which hides it, with its value at the step of the slider. */

export class Legend {
  /** @param {HTMLElement} host @param {(key: string) => void} toggle */
  constructor(host, toggle) {
    this.host = host;
    this.toggle = toggle;
    /** @type {{button: HTMLButtonElement, name: HTMLElement, value: HTMLElement, key: string, line: any}[]} */
    this.entries = [];
  }

  /** @param {any[]} series */
  fill(series) {
    this.entries = series.filter((line) => !line.quiet).map((line) => this.entry(line));
    this.host.replaceChildren(...this.entries.map((entry) => entry.button));
  }

  /** @param {any} line */
  entry(line) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "key";
    const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const stroke = document.createElementNS("http://www.w3.org/2000/svg", "line");
    const places = { x1: 0, x2: 26, y1: 5, y2: 5, "stroke-width": 2.4, stroke: line.colour };
    for (const [name, value] of Object.entries(places)) stroke.setAttribute(name, String(value));
    if (line.dash?.length) stroke.setAttribute("stroke-dasharray", line.dash.join(" "));
    swatch.setAttribute("viewBox", "0 0 26 10");
    swatch.setAttribute("aria-hidden", "true");
    swatch.append(stroke);
    const name = document.createElement("span");
    name.textContent = line.label;
    name.title = line.title ?? line.label;
    const value = document.createElement("b");
    button.append(swatch, name, value);
    button.addEventListener("click", () => this.toggle(line.key));
    return { button, name, value, key: line.key, line };
  }

  /** Take new values and names for the same lines. @param {any[]} series */
  renew(series) {
    const listed = series.filter((line) => !line.quiet);
    this.entries.forEach((entry, place) => {
      entry.line = listed[place];
      if (entry.name.textContent !== entry.line.label) entry.name.textContent = entry.name.title = entry.line.label;
    });
  }

  /** @param {Set<string>} hidden */
  press(hidden) {
    for (const entry of this.entries) entry.button.setAttribute("aria-pressed", String(!hidden.has(entry.key)));
  }

  /** @param {number|null} place of the values to show */
  values(place) {
    for (const entry of this.entries) {
      const { line } = entry;
      const text = place === null ? "" : line.format(line.values[place] ?? null);
      if (entry.value.textContent !== text) entry.value.textContent = text;
    }
  }
}
