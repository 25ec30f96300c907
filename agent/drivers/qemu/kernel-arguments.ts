import type { NicPort } from "../../network/instance-networks.js";

/** What the micro image reads from its kernel command line. */
export interface KernelArgumentsInput {
  /** The kernel's name of the first serial port. */
  readonly console: "ttyS0" | "ttyAMA0";
  readonly hostname: string;
  readonly nics: readonly Pick<NicPort, "nic" | "mac" | "mtu" | "addresses">[];
  /** Rate of the time stamp counter in kHz, for machines that have no timer to measure it by. */
  readonly tscKhz: number | undefined;
  /** The user's own, last, so that they win. */
  readonly extra: string;
}

/** The kernel keeps this many bytes on x86 (COMMAND_LINE_SIZE less the final NUL) and cuts the rest off silently. */
export const maxKernelArgumentsBytes = 2047;

/** Kernel command line for direct boot; pure. Addresses travel as zor.nic=mac,name,mtu,address[;address...]. */
export function toKernelArguments(input: KernelArgumentsInput): string {
  return [
    `console=${input.console} panic=1 quiet`,
    `zor.hostname=${input.hostname}`,
    ...input.nics.map(({ nic, mac, mtu, addresses }) => `zor.nic=${mac},${nic},${mtu},${addresses.join(";")}`),
    ...(input.tscKhz === undefined ? [] : [`tsc_early_khz=${input.tscKhz}`]),
    ...(input.extra === "" ? [] : [input.extra]),
  ].join(" ");
}
