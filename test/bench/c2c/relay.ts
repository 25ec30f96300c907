import { createHash } from "node:crypto";
import { join } from "node:path";
import { run, startDaemon } from "../../../agent/host/exec.js";
import { Relay } from "../../../hub/relay/relay.js";
import { createLog } from "../../../lib/log.js";
import { endProcess, findIdentity } from "../../../lib/process.js";
import { nodePath } from "../../../lib/program.js";
import type { RelayRole } from "../../../lib/relay-role.js";
import { eventually } from "../../helpers/eventually.js";
import { addNetns, type BenchHost, ipIn, netnsName } from "./hosts.js";

/** First word of the arguments that make the benchmark's own program the hub's relay. */
export const relayVerb = "relay";

const port = 7_465;

/** What an end is told of the relay. */
export interface RelayAccess {
  readonly relayAddresses: string[];
  readonly relayTicket: string;
}

/** Runs the relay of the hub, in a process of its own, in a namespace that both hosts reach. Gives what the ends are told. */
export async function startRelay(
  hosts: readonly [BenchHost, BenchHost],
  cleanup: AsyncDisposableStack,
): Promise<(host: BenchHost, role: RelayRole) => RelayAccess> {
  const netns = await addNetns(netnsName("hub"), cleanup);
  for (const { number, underlay } of hosts) {
    const device = `ztr${number}`;
    await ipIn(netns, "link", "add", device, "type", "veth", "peer", "name", "ztr0", "netns", underlay);
    for (const [where, name, ip] of [
      [netns, device, addressOf(number)],
      [underlay, "ztr0", `10.235.${number}.2`],
    ] as const) {
      await ipIn(where, "address", "add", `${ip}/24`, "dev", name);
      await ipIn(where, "link", "set", name, "up");
    }
  }
  const logFile = join(hosts[0].directory, "relay.log");
  const pid = await startDaemon(nodePath, [process.argv[1] ?? "", relayVerb], { netns, logFile });
  const relay = await findIdentity(pid);
  if (relay === undefined) throw new Error("the relay ended at once");
  cleanup.defer(() => endProcess(relay, 1_000));
  await eventually(async () => {
    const { stdout } = await run("ss", ["-Hltn", `sport = :${port}`], { netns });
    if (stdout.trim() === "") throw new Error("the relay does not listen");
  }, 10_000);
  return ({ side, number }, role) => ({
    relayAddresses: [`${addressOf(number)}:${port}`],
    relayTicket: ticketOf(side, role).toString("hex"),
  });
}

/** Serves both hosts, whatever the link, until the process is ended. */
export async function serveRelay(): Promise<void> {
  const grants = ["a", "b"].map((host) => ({ host, ticketOf: (role: RelayRole) => ticketOf(host, role) }));
  const log = createLog("relay", { write: () => undefined });
  await Relay.listen({ addresses: [`0.0.0.0:${port}`], grants: () => grants, onBytes: () => undefined, log });
}

function ticketOf(host: string, role: RelayRole): Buffer {
  return createHash("sha256").update(`${host} ${role}`).digest();
}

function addressOf(number: number): string {
  return `10.235.${number}.1`;
}
