import { asObject, numberOf } from "./json.js";

/** The last output that is looked at; a firmware says less. */
const maxTextBytes = 16 * 1024;
/** More than firmware and boot loader read before there is a guest. */
const minReadBytes = 4n * 1024n * 1024n;

/** What speaks first on a console. */
export type FirstSpeaker = "guest" | keyof typeof firmwares;

/** What firmware says when it tries to boot, and how lines begin that it prints after that. */
const firmwares = {
  bios: { booting: "Booting from", lines: ["Boot failed", "No bootable device", "Retrying in", "Rebooting."] },
  uefi: {
    booting: "BdsDxe: starting",
    lines: [
      "BdsDxe:",
      ">>",
      "UEFI Interactive Shell",
      "EDK II",
      "UEFI v",
      "Mapping table",
      "Press ",
      "Shell>",
      "EFI stub:",
    ],
  },
} as const;

/** What the machine's disks have been used for, in bytes. */
export interface DiskUse {
  readonly readBytes: bigint;
  readonly writtenBytes: bigint;
}

/** Adds up what QMP's query-blockstats returns; pure. */
export function sumDiskUse(blockStats: unknown): DiskUse {
  const devices = Array.isArray(blockStats) ? blockStats.map((device) => asObject(asObject(device)?.["stats"])) : [];
  const sum = (member: string): bigint =>
    devices.reduce((total, stats) => total + BigInt(numberOf(stats, member) ?? 0), 0n);
  return { readBytes: sum("rd_bytes"), writtenBytes: sum("wr_bytes") };
}

/** Watches whether there is anybody inside a machine: a guest that cannot boot runs like any other, and says nothing. */
export class LifeSigns {
  readonly #speaksFirst: FirstSpeaker;
  #sinceMs: number;
  #alive = false;
  #text = "";

  /** @param options.speaksFirst whose words come first on the console. */
  constructor(options: { readonly speaksFirst: FirstSpeaker; readonly startMs: number }) {
    this.#speaksFirst = options.speaksFirst;
    this.#sinceMs = options.startMs;
  }

  /** Since it was started, reset or resumed it has shown a sign. */
  get isAlive(): boolean {
    return this.#alive;
  }

  /** When the waiting for a sign began. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** It begins again. What it said before counts no more, but one that only restarts again and again is waited for since the first time. */
  begin(nowMs: number): void {
    if (this.#alive) this.#sinceMs = nowMs;
    this.#alive = false;
    this.#text = "";
  }

  /** Its CPUs run again: while they did not it could not show anything. */
  goOn(nowMs: number): void {
    if (!this.#alive) this.#sinceMs = nowMs;
  }

  /** Its agent has opened its port, or a driver has set an interface up. */
  note(): void {
    this.#alive = true;
  }

  /** Its console gave output. */
  hear(output: Uint8Array): void {
    if (this.#alive) return;
    this.#text = (this.#text + Buffer.from(output).toString("latin1")).slice(-maxTextBytes);
    this.#alive = isGuestSpeaking(this.#text, this.#speaksFirst);
  }

  /** What it has done to its disks. */
  look({ readBytes, writtenBytes }: DiskUse): void {
    if (readBytes >= minReadBytes || writtenBytes > 0n) this.#alive = true;
  }
}

/** Whether a console's output is the guest's, not the firmware's (SeaBIOS, OVMF); pure. */
export function isGuestSpeaking(output: string, speaksFirst: FirstSpeaker): boolean {
  const text = output.replace(/\x1b\[[0-9;?=]*[A-Za-z]/g, "");
  if (speaksFirst === "guest") return /[!-~]/.test(text);
  const firmware = firmwares[speaksFirst];
  const booting = text.lastIndexOf(firmware.booting);
  const end = text.indexOf("\n", booting);
  if (booting === -1 || end === -1) return false;
  const lines = text.slice(end).split(/[\r\n]+/);
  // A line may have come only in part.
  const isFirmware = (line: string): boolean =>
    firmware.lines.some((known) => line.startsWith(known) || known.startsWith(line));
  return lines.some((line) => /[!-~]/.test(line) && !isFirmware(line.trim()));
}
