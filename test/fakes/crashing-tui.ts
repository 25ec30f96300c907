// The terminal program over a gateway that breaks: what is thrown lands in nobody's hands. Argument: a log file.
import { openLogFile } from "../../tui/session/log-file.js";
import { runTui } from "../../tui/session/run-tui.js";
import { Remembered } from "../../tui/settings/remembered.js";
import { Settings } from "../../tui/settings/settings.js";
import { FakeGateway } from "./fleet-gateway.js";

const [, , logFile = "/dev/null"] = process.argv;
setTimeout(() => {
  throw new Error("broken on purpose");
}, 500);
const ending = await runTui({
  session: { context: "crash", address: "nowhere", readOnly: false },
  gateway: new FakeGateway(),
  log: openLogFile(logFile),
  host: undefined,
  ascii: false,
  settings: new Settings(),
  remembered: new Remembered(),
});
process.stderr.write(`ended: ${String(ending.error)}\n`);
process.exit(ending.code);
