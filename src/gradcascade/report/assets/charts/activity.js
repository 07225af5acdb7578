import { addChart } from "../charts.js";
import { nearest } from "../data.js";
import { tokensAt, tokensHead } from "../export.js";
import { written } from "../numbers.js";
import { extent } from "../panels.js";

addChart("activity", { moves: true, start: { "log:activity": true }, describe: activityProfile, rows: activityRows });

function activityProfile(panels) {
  const { group, state } = panels;
  const part = group.variants[state.variant];
  const profiles = part?.activity ?? [];
  const at = nearest(group.activity_at, nearest(group.steps, state.step));
  const share = (profile, place) => profile?.map((count) => count / group.n[place]) ?? [];
  const range = panels.once("activity", () => {
    const all = profiles.map((own, place) => own.flatMap((profile) => share(profile, place)));
    const long = profiles.flatMap((own) => own.map((profile) => profile?.length ?? 0));
    return { y: extent(all), length: Math.max(0, ...long) };
  });
  const x = Array.from({ length: Math.max(range.length, 1) }, (_, i) => i);
  const columns = group.scales.map((_, place) => {
    const values = share(profiles[place]?.[at], place);
    return x.map((i) => values[i] ?? null);
  });
  const lines = panels.scaleLines(group, columns, written);
  const missing = range.y ? undefined : "No activity profile was kept.";
  const head = (l) => `relaxation step ${l}, training step ${written(group.steps[group.activity_at[at]] ?? null, 12)}`;
  return { axis: "linear", x, xLabel: "relaxation step l", yLabel: "|A_l| / N", yLog: state["log:activity"], lines, yRange: range.y, missing, head };
}

function activityRows(panels) {
  const { group } = panels;
  const rows = [["family", "field", "variant", "scale", "N", "step", ...tokensHead(group), "relaxation_step", "active"]];
  for (const [variant, part] of Object.entries(group.variants)) {
    part.activity.forEach((profiles, place) => {
      profiles.forEach((profile, i) => {
        const step = group.steps[group.activity_at[i]];
        profile?.forEach((count, l) => rows.push([group.family, group.field, variant, group.scales[place], group.n[place], step, ...tokensAt(group, group.activity_at[i], place), l, count]));
      });
    });
  }
  return rows;
}
