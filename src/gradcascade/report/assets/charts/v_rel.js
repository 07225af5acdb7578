import { addChart } from "../charts.js";
import { channelRows } from "../export.js";

addChart("v_rel", {
  start: { "log:v_rel": true },
  describe: (panels) => panels.overSteps("v_rel", "v_rel"),
  rows: (panels) => channelRows(panels, "v_rel"),
});
