import { permissionDenied } from "../../../../lib/errors.js";
import { violation } from "../options.js";
import type { HardwarePart } from "./part.js";

const maxArguments = 64;
const argumentPattern = /^[\x20-\x7e]{1,4096}$/;

/** Arguments of QEMU as they are: whoever gives them owns the host, so that only its own settings allow it. */
export const extraArguments: HardwarePart<readonly string[]> = {
  check: ({ options: { extraArguments: asked } }) => {
    if (asked.length > maxArguments) {
      return [violation("qemu.extra_arguments", `${asked.length} are more than ${maxArguments}`)];
    }
    const index = asked.findIndex((each) => !argumentPattern.test(each));
    if (index === -1) return [];
    return [violation(`qemu.extra_arguments[${index}]`, "must be 1 to 4096 characters of printable ASCII")];
  },
  admit: async ({ options }, { policy }) => assertAllowed(options.extraArguments, policy.qemuArguments),
  open: async ({ options, policy }) => {
    // The setting may have been withdrawn since the machine was made.
    assertAllowed(options.extraArguments, policy.qemuArguments);
    return options.extraArguments;
  },
  toArguments: (asked) => ({ argv: asked }),
};

function assertAllowed(asked: readonly string[], allowed: boolean): void {
  if (asked.length === 0 || allowed) return;
  throw permissionDenied(
    "instance.spec.qemu.extra_arguments: arguments of QEMU may not be given; allow it with qemuArguments in the agent's settings",
  );
}
