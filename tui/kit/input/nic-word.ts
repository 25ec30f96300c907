import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { CommandInput } from "../kind-commands.js";

/** Resource name of a NIC written as "r1:eth1" or "alpha/r1:eth1"; "" stays. @throws {ZorError} INVALID_ARGUMENT; what resolving an instance throws. */
export async function readNic(input: CommandInput, word: string): Promise<string> {
  if (word === "") return "";
  const at = word.lastIndexOf(":");
  if (at <= 0 || at + 1 === word.length)
    throw invalidArgument("nic", `${quote(word)} is not an instance and its NIC, such as r1:eth1`);
  return `${await input.resolve("instance", word.slice(0, at))}/nics/${word.slice(at + 1)}`;
}
