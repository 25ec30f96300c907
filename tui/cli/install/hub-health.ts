import { setTimeout as delay } from "node:timers/promises";
import { failedPrecondition } from "../../../lib/errors.js";
import { formatHostPort, parseHostPort } from "../../../lib/socket-address.js";
import type { Remote } from "./remote.js";

/** Where a hub serves on its own machine, as its settings say. */
export interface HubPlace {
  /** "ip:port" of the API. */
  readonly address: string;
  readonly state: string;
}

/** Where hubs are that were installed by zor. */
const usualPlace: HubPlace = { address: "127.0.0.1:7440", state: "/var/lib/zor/hub" };

const zor = "/opt/zorhub/current/zor";
const upTimeoutMs = 60_000;
const lookMs = 500;

/** Makes a shell on the hub's machine speak to it as its local administrator: in a context of root's own, which nobody else sees. */
export function asLocalAdmin({ address, state }: HubPlace = usualPlace): string {
  const add = `${zor} context add local --address ${address} --identity ${state}/admin`;
  return `export ZOR_CONFIG=${state}/installer; ${add} >/dev/null 2>&1;`;
}

/**
 * Asks a hub on its own machine until it answers as the wanted build, or as any when none is given.
 * @throws {ZorError} FAILED_PRECONDITION with what it says, after a minute.
 */
export async function hubAnswers(
  remote: Remote,
  { build, place = usualPlace }: { readonly build?: string | undefined; readonly place?: HubPlace | undefined },
): Promise<void> {
  const deadline = performance.now() + upTimeoutMs;
  for (;;) {
    const { code, stdout, stderr } = await remote.root(`${asLocalAdmin(place)} ${zor} version -o json`);
    if (build === undefined ? code === 0 : stdout.includes(`"build": "${build}"`)) return;
    if (performance.now() > deadline) {
      const as = build === undefined ? "" : " as the wanted version";
      const why = (stderr.split("\n")[0] ?? "").slice(0, 300) || "it is another build";
      const message = `the hub does not answer${as} at ${place.address} within a minute: ${why}`;
      throw failedPrecondition("HUB_NOT_READY", remote.connection.name, message);
    }
    await delay(lookMs);
  }
}

/** The first address that leads to a hub from its own machine. */
export function placeOf({ listen, state }: { readonly listen: readonly string[]; readonly state: string }): HubPlace {
  const parsed = listen.flatMap((each) => parseHostPort(each) ?? []);
  const own = parsed.find(({ host }) => host.startsWith("127.") || host === "::1") ?? parsed[0];
  if (own === undefined) return { ...usualPlace, state };
  const host = own.host === "0.0.0.0" ? "127.0.0.1" : own.host === "::" ? "::1" : own.host;
  return { address: formatHostPort({ host, port: own.port }), state };
}
