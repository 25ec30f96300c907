import type { Measured } from "../abilities/measured.js";
import type { DriverInstance } from "../driver-instance.js";
import { readGuestAvailable } from "./hardware/balloon.js";
import { asObject, numberOf } from "./json.js";
import type { Machine } from "./machine.js";

/** Where the kernel counts what machines use: at their processes; QEMU itself counts their disks. */
export function machineMeter(machineOf: (instance: DriverInstance) => Pick<Machine, "execute"> | undefined): Measured {
  return {
    placeOf: async (instance, { pid }) => ({
      kind: "process",
      pid,
      readDisks: async () => {
        const told = await machineOf(instance)?.execute("query-blockstats");
        if (!Array.isArray(told)) return undefined;
        const devices = told.map((device) => asObject(asObject(device)?.["stats"]));
        const sum = (member: string): number =>
          devices.reduce((total, stats) => total + (numberOf(stats, member) ?? 0), 0);
        return {
          ...{ readBytes: sum("rd_bytes"), writeBytes: sum("wr_bytes") },
          ...{ readOps: sum("rd_operations"), writeOps: sum("wr_operations") },
        };
      },
      readGuestAvailable: async () => {
        const machine = machineOf(instance);
        return machine === undefined ? undefined : await readGuestAvailable(machine, instance.spec, Date.now());
      },
    }),
  };
}
