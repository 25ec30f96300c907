// What cables between hosts cost and carry, against the underlay, the kernel's vxlan, QEMU and Open vSwitch:
// npm run bench -- c2c [--json] [--quick] [--rounds N] [--only NAME[,NAME]..]. With --json standard output is one object and the
// table goes to standard error. Needs root, iperf3, ping, ethtool and qemu-system-x86_64.
import { runBench } from "./c2c/bench.js";
import { flood, floodVerb } from "./c2c/flood.js";
import { parsePlan, usage } from "./c2c/plan.js";
import { relayVerb, serveRelay } from "./c2c/relay.js";
import { formatTable, toJson } from "./c2c/report.js";

const [verb, device, mac] = process.argv.slice(2);
if (verb === floodVerb && device !== undefined && mac !== undefined) flood(device, mac);

if (verb === relayVerb) await serveRelay();
else await bench();

async function bench(): Promise<void> {
  const plan = parsePlan(process.argv.slice(2));
  if (plan === undefined) {
    console.error(usage);
    process.exit(2);
  }
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupt.abort());
  try {
    const results = await runBench(plan, interrupt.signal, (text) => process.stderr.write(`${text}\n`));
    if (plan.json) process.stderr.write(`${formatTable(results)}\n`);
    console.log(plan.json ? JSON.stringify(toJson(results), undefined, 2) : formatTable(results));
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    console.error("interrupted; everything is taken down");
    process.exitCode = 130;
  }
}
