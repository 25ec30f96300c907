import type { FieldViolation } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { violation } from "../options.js";
import { pciSlots, toPci } from "../placement.js";
import { toPciDevice } from "./device.js";
import type { Asked, HardwarePart } from "./part.js";

interface WatchdogPlan {
  readonly model: string;
  readonly action: string;
}

const models = ["", "i6300esb", "ib700"];
const actions = ["", "reset", "poweroff", "pause", "none"];

/** Acts when the guest does not feed it. */
export const watchdog: HardwarePart<WatchdogPlan> = {
  check,
  open: async ({ options: { watchdog: asked } }) =>
    asked === undefined ? undefined : { model: asked.model || "i6300esb", action: asked.action || "reset" },
  toArguments: ({ model, action }) => {
    const device = model === "ib700" ? "ib700,id=watchdog" : undefined;
    return {
      argv: [
        ...["-device", device ?? toPciDevice(model, "id=watchdog", toPci(pciSlots.watchdog))],
        ...["-action", `watchdog=${action}`],
      ],
    };
  },
};

function check({ options }: Asked): FieldViolation[] {
  const { watchdog: asked, machine, architecture } = options;
  if (asked === undefined) return [];
  const violations: FieldViolation[] = [];
  if (machine === "microvm") violations.push(violation("qemu.watchdog", 'a microvm has no place for one; use "q35"'));
  if (!models.includes(asked.model)) {
    violations.push(violation("qemu.watchdog.model", `${quote(asked.model)} is neither "i6300esb" nor "ib700"`));
  }
  if (asked.model === "ib700" && architecture === "aarch64") {
    violations.push(violation("qemu.watchdog.model", '"ib700" is for x86; use "i6300esb"'));
  }
  if (!actions.includes(asked.action)) {
    const description = `${quote(asked.action)} is none of "reset", "poweroff", "pause" and "none"`;
    violations.push(violation("qemu.watchdog.action", description));
  }
  return violations;
}
