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
/** How often a guest is asked how it uses its memory. */
const statisticsSeconds = 10;
/** A guest that has not answered for so long does not say how its memory is now. */
const oldAfterMs = 35_000;

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

/**
 * Bytes of memory that the guest says its programs can still have; undefined: it has no balloon, no driver for it, or has not answered it for
 * long. The first question has it answer from then on.
 * @param nowMs by the host's clock.
 */
export async function readGuestAvailable(qmp: Qmp, spec: InstanceSpec, nowMs: number): Promise<number | undefined> {
  if (!memoryOf(qemuOptionsOf(spec)).balloon) return undefined;
  const path = "/machine/peripheral/balloon";
  const told = asObject(await qmp.execute("qom-get", { path, property: "guest-stats" }));
  // Asked for once in each run, also by an agent that took it up: what the machine was told before stays.
  const seconds = await qmp.execute("qom-get", { path, property: "guest-stats-polling-interval" });
  if (seconds !== statisticsSeconds) {
    await qmp.execute("qom-set", { path, property: "guest-stats-polling-interval", value: statisticsSeconds });
  }
  const toldMs = (numberOf(told, "last-update") ?? 0) * 1000;
  if (nowMs - toldMs > oldAfterMs) return undefined;
  const bytes = numberOf(asObject(told?.["stats"]), "stat-available-memory");
  // What a guest does not count is all ones.
  return bytes === undefined || bytes < 0 || bytes >= Number.MAX_SAFE_INTEGER ? undefined : bytes;
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
