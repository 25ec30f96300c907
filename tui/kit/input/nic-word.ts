import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { CommandInput } from "../kind-commands.js";

const endKinds = ["tap", "phy", "lan"] as const;

/**
 * Resource name of what a wire can end at: a NIC written as "r1:eth1" or "alpha/r1:eth1", or "tap:alpha/t1", "phy:alpha/p1" or
 * "lan:alpha/lan1"; "" stays. @throws {ZorError} INVALID_ARGUMENT; what resolving a name throws.
 */
export async function readEnd(input: CommandInput, word: string): Promise<string> {
  if (word === "") return "";
  const kind = endKinds.find((each) => word.startsWith(`${each}:`));
  if (kind !== undefined) return await input.resolve(kind, word.slice(kind.length + 1));
  const at = word.lastIndexOf(":");
  if (at <= 0 || at + 1 === word.length)
    throw invalidArgument(
      "nic",
      `${quote(word)} is not an instance and its NIC, such as r1:eth1, nor tap:, phy: or lan: and a name`,
    );
  return `${await input.resolve("instance", word.slice(0, at))}/nics/${word.slice(at + 1)}`;
}

/** Host of an end that is written with one, and what a wire that ends there is called after; undefined: it is not written so. */
export function hostOfEnd(word: string): { readonly host: string; readonly id: string } | undefined {
  const [, kind, first = "", second = ""] = /^(tap|phy|lan):([^/:]+)\/([^/:]+)$/.exec(word) ?? [];
  if (kind !== undefined) return { host: first, id: second };
  const [, host, instance = "", nic = ""] = /^(?:hosts\/)?([^/]+)\/(?:instances\/)?([^/:]+):([^/:]+)$/.exec(word) ?? [];
  return host === undefined || host.includes(":") ? undefined : { host, id: `${instance}-${nic}` };
}
