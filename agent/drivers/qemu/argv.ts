import { type HardwarePlans, toHardwareArguments } from "./hardware/index.js";
import type { MachineFacts } from "./hardware/part.js";
import { socketNames } from "./ids.js";

/** Everything that decides how QEMU is run. */
export interface MachinePlan extends MachineFacts {
  /** Name for people; a checked resource id. */
  readonly id: string;
  /** RFC 4122 form; the machine is found again by it. */
  readonly uuid: string;
  /** The machine type in full, "pc-q35-7.0"; "": that of its kind. */
  readonly machineName: string;
  readonly hardware: HardwarePlans;
  /** Its memory is given to it later; default: it begins anew. */
  readonly goesOn?: boolean;
}

/**
 * Arguments of QEMU; pure. Nothing listens on a network, no path leads out of the working directory and no file is opened by name:
 * QEMU runs without the right to read the agent's files.
 */
export function toArgv(plan: MachinePlan): string[] {
  const parts = toHardwareArguments(plan.hardware, plan);
  const machine = [...toMachine(plan), ...parts.flatMap((part) => part.machine ?? [])];
  const boot = parts.flatMap((part) => part.boot ?? []);
  return [
    ...["-name", `guest=${plan.id}`, "-uuid", plan.uuid],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-S", "-msg", "timestamp=on"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...["-machine", machine.join(","), "-accel", toAccelerator(plan)],
    ...["-chardev", `socket,id=qmp,path=${socketNames.qmp},server=on,wait=off`, "-mon", "chardev=qmp,mode=control"],
    ...(boot.length === 0 ? [] : ["-boot", boot.join(",")]),
    ...parts.flatMap((part) => part.argv ?? []),
    ...(plan.goesOn === true ? ["-incoming", "defer"] : []),
  ];
}

function toMachine({ machine, machineName }: MachinePlan): readonly string[] {
  return machine === "microvm" ? ["microvm", "rtc=on"] : [machineName === "" ? machine : machineName];
}

function toAccelerator(plan: MachinePlan): string {
  // QEMU's own default reserves up to 1 GiB for translated code, for each machine.
  return plan.accelerator === "kvm" ? "kvm" : "tcg,thread=multi,tb-size=64";
}
