import { z } from "zod";
import { loadConfig } from "../../../lib/config.js";
import { invalidArgument, messageOf } from "../../../lib/errors.js";
import { isId, parseId, quote } from "../../../lib/names.js";
import { isDialAddress } from "../../../lib/socket-address.js";
import { formatTarget, parseTarget, type SshTarget } from "../../../lib/ssh/target.js";

/** A host as it is wished for. */
export interface HostWish {
  /** Id of the host in the fleet. */
  readonly id: string;
  readonly ssh: SshTarget;
  /** "ip:port" of the agent's API; undefined: the address that ssh reached it at, on the usual port. */
  readonly listen: string | undefined;
  /** Where other hosts reach it; undefined: the address of `listen`. */
  readonly underlay: readonly string[] | undefined;
  /** The agent dials the hub; undefined: only where ssh went to a loopback address. */
  readonly dialOut: boolean | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

const target = z.string().superRefine((text, context) => {
  try {
    parseTarget("ssh", text);
  } catch (error) {
    context.addIssue({ code: "custom", message: messageOf(error).replace(/^ssh: /, "") });
  }
});
const id = z.string().refine(isId, "expected a name: letters, digits, - _ and ., at most 63");
const address = z.string().refine(isDialAddress, 'expected "ip:port"');
const settings = {
  listen: address.optional(),
  underlay: z.array(z.string().min(1)).max(16).optional(),
  dialOut: z.boolean().optional(),
  labels: z.record(z.string(), z.string()).optional(),
};
const hostsSchema = z.strictObject({
  /** For hosts that do not say otherwise. */
  defaults: z.strictObject({ dialOut: settings.dialOut, labels: settings.labels }).default({}),
  hosts: z
    .array(z.strictObject({ ssh: target, id: id.optional(), ...settings }))
    .min(1)
    .max(10_000),
});

/**
 * Reads a file of hosts. @throws {ZorError} INVALID_ARGUMENT with every fault as "file:line:column hosts.0.ssh: what is wrong".
 */
export async function readHosts(file: string): Promise<readonly HostWish[]> {
  const { defaults, hosts } = await loadConfig(hostsSchema, { file });
  return hosts.map(({ ssh, id: given, listen, underlay, dialOut, labels }) => {
    const parsed = parseTarget("ssh", ssh);
    return {
      ...{ id: given ?? idOf(parsed), ssh: parsed, listen, underlay },
      dialOut: dialOut ?? defaults.dialOut,
      labels: { ...defaults.labels, ...labels },
    };
  });
}

/** A host named on the command line: "user@host", or "id=user@host". */
export function parseWish(text: string, common: Pick<HostWish, "dialOut" | "labels">): HostWish {
  const [, given, rest = text] = /^([^=@]+)=(.*)$/.exec(text) ?? [];
  const ssh = parseTarget("host", rest);
  return {
    ...{ id: given === undefined ? idOf(ssh) : parseId("host", given), ssh },
    ...{ listen: undefined, underlay: undefined, ...common },
  };
}

/** @throws {ZorError} INVALID_ARGUMENT when two are one host, or one server. */
export function checkWishes(wishes: readonly HostWish[]): void {
  for (const [what, of] of [
    ["host", (wish: HostWish) => wish.id],
    ["ssh server", (wish: HostWish) => formatTarget({ ...wish.ssh, host: wish.ssh.host.toLowerCase() })],
  ] as const) {
    const seen = new Set<string>();
    for (const wish of wishes) {
      const key = of(wish);
      if (seen.has(key))
        throw invalidArgument(
          "host",
          `${what} ${quote(key)} is named twice; give hosts of the same name ids: ID=USER@HOST`,
        );
      seen.add(key);
    }
  }
}

/** "rack7.lab.example" is host "rack7"; an address is itself, with "-" for what a name cannot have. */
function idOf({ host }: SshTarget): string {
  const first = /^[\d.]+$|:/.test(host)
    ? host.replace(/[:.]+/g, "-").replace(/^-|-$/g, "")
    : (host.split(".")[0] ?? host);
  return parseId("host", first.toLowerCase());
}
