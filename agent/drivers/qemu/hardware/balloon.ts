import type { FieldViolation } from "../../../../lib/errors.js";
import type { InstanceSpec } from "../../../../proto/gen/zor/v1/instance.js";
import { asObject, numberOf } from "../json.js";
import { qemuOptionsOf, sizeOf, violation } from "../options.js";
import { pciSlots, toPci } from "../placement.js";
import { toPciDevice } from "./device.js";
import { memoryOf } from "./memory.js";
import type { Asked, HardwarePart, Qmp } from "./part.js";

const bytesPerMib = 1024 * 1024;
/** With less no guest does anything. */
const minMib = 16n;

/** Takes memory back from the guest. */
export const balloon: HardwarePart<object> = {
  check,
  open: async ({ options }) => (memoryOf(options).balloon ? {} : undefined),
  toArguments: () => {
    // A guest in need of memory takes it back rather than to kill its processes.
    const properties = "id=balloon,deflate-on-oom=on,free-page-reporting=on";
    return { argv: ["-device", toPciDevice("virtio-balloon-pci", properties, toPci(pciSlots.balloon))] };
  },
  beforeRun: async ({ spec }, qmp) => {
    if (memoryOf(qemuOptionsOf(spec)).balloonMib > 0n) await setBalloon(qmp, spec);
  },
};

/** Tells the balloon how much memory the guest is to be left with; one that has a driver for it follows by and by. */
export async function setBalloon(qmp: Qmp, spec: InstanceSpec): Promise<void> {
  const { balloon: isThere, balloonMib } = memoryOf(qemuOptionsOf(spec));
  if (!isThere) return;
  const mib = balloonMib === 0n ? sizeOf(spec).memoryMib : Number(balloonMib);
  await qmp.execute("balloon", { value: mib * bytesPerMib });
}

/** Memory in MiB that the guest has as its balloon tells; undefined: it has none. */
export async function readBalloon(qmp: Qmp, spec: InstanceSpec): Promise<number | undefined> {
  if (!memoryOf(qemuOptionsOf(spec)).balloon) return undefined;
  // What runs may have been made without it.
  const told = await qmp.execute("query-balloon").catch(() => undefined);
  const bytes = numberOf(asObject(told), "actual");
  return bytes === undefined ? undefined : Math.round(bytes / bytesPerMib);
}

function check({ spec, options }: Asked): FieldViolation[] {
  const { balloon: isThere, balloonMib } = memoryOf(options);
  const violations: FieldViolation[] = [];
  if (isThere && options.machine === "microvm") {
    violations.push(violation("qemu.memory.balloon", 'a microvm has no place for one; use "q35"'));
  }
  const { memoryMib } = sizeOf(spec);
  if (balloonMib !== 0n && !isThere) violations.push(violation("qemu.memory.balloon_mib", "needs qemu.memory.balloon"));
  else if (balloonMib !== 0n && (balloonMib < minMib || balloonMib > BigInt(memoryMib))) {
    const description = `${balloonMib} is not between ${minMib} and the machine's ${memoryMib}; 0 leaves it all`;
    violations.push(violation("qemu.memory.balloon_mib", description));
  }
  return violations;
}
