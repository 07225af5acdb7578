/** What the reader has chosen, and who wants to know. */

const KEPT = ["family", "field", "variant", "beside", "step", "logSteps"];
const KEY = "gradcascade-report";

/**
 * @param {Record<string, any>} start
 * @returns {{state: Record<string, any>, set: (changes: Record<string, any>) => void,
 *   on: (heard: (changed: Set<string>) => void) => void}}
 */
export function makeStore(start) {
  const state = { ...start };
  /** @type {((changed: Set<string>) => void)[]} */
  const listeners = [];
  let pending = new Set();
  let writing = 0;

  function tell() {
    const changed = pending;
    pending = new Set();
    for (const heard of listeners) heard(changed);
    clearTimeout(writing);
    writing = setTimeout(() => remember(state), 200);
  }

  return {
    state,
    set(changes) {
      const idle = pending.size === 0;
      for (const [name, value] of Object.entries(changes)) {
        if (state[name] === value) continue;
        state[name] = value;
        pending.add(name);
      }
      if (idle && pending.size > 0) requestAnimationFrame(tell);
    },
    on(heard) {
      listeners.push(heard);
    },
  };
}

/** @returns {Record<string, any>} choices made before the page was loaded again */
export function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY + location.pathname) ?? "{}");
  } catch {
    return {};
  }
}

/** @param {Record<string, any>} state */
function remember(state) {
  try {
    const kept = Object.fromEntries(KEPT.map((name) => [name, state[name]]));
    sessionStorage.setItem(KEY + location.pathname, JSON.stringify(kept));
  } catch {
    // Storage may be forbidden; then a page that is loaded again starts afresh.
  }
}
