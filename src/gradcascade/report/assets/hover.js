/** What stands on top of a chart: the values under the pointer, and the line at the step of the slider. */

/** The values at the pointer, in a box that keeps inside the chart. */
export class Tooltip {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.box = document.createElement("div");
    this.box.className = "tooltip";
    this.box.hidden = true;
    host.append(this.box);
    this.host = host;
  }

  /** @param {string} head @param {{label: string, colour: string, text: string}[]} lines @param {number} left */
  show(head, lines, left) {
    const title = document.createElement("strong");
    title.textContent = head;
    const rows = lines.map((line) => {
      const row = document.createElement("div");
      const swatch = document.createElement("i");
      swatch.style.background = line.colour;
      const name = document.createElement("span");
      name.textContent = line.label;
      const value = document.createElement("b");
      value.textContent = line.text;
      row.append(swatch, name, value);
      return row;
    });
    this.box.replaceChildren(title, ...rows);
    this.box.hidden = false;
    const room = this.host.clientWidth - this.box.offsetWidth - 4;
    const beside = left + 14 > room ? left - this.box.offsetWidth - 14 : left + 14;
    this.box.style.transform = `translate(${Math.max(0, Math.min(room, beside))}px, 10px)`;
  }

  hide() {
    this.box.hidden = true;
  }
}

/** A vertical line above the drawing, so that moving it draws nothing again. */
export class Marker {
  constructor() {
    this.line = document.createElement("div");
    this.line.className = "marker";
  }

  /** @param {any} plot a uPlot @param {number|null} value on its x axis */
  move(plot, value) {
    if (this.line.parentNode !== plot.over) plot.over.append(this.line);
    const { min, max } = plot.scales.x;
    const inside = value !== null && value >= min && value <= max;
    this.line.hidden = !inside;
    if (inside) this.line.style.transform = `translateX(${plot.valToPos(value, "x")}px)`;
  }
}
