import { asObject, numberOf } from "./json.js";

/** The last output that is looked at; a firmware says less. */
const maxTextBytes = 16 * 1024;
/** More than firmware and boot loader read before there is a guest. */
const minReadBytes = 4n * 1024n * 1024n;

/** How lines begin that SeaBIOS prints after it has tried to boot. */
const firmwareLines = ["Boot failed", "No bootable device", "Retrying in", "Rebooting."];

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
  readonly #hasFirmware: boolean;
  #sinceMs: number;
  #alive = false;
  #text = "";

  /** @param options.hasFirmware it boots from a disk, so that the firmware's own words come first on the console. */
  constructor(options: { readonly hasFirmware: boolean; readonly startMs: number }) {
    this.#hasFirmware = options.hasFirmware;
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
    this.#alive = isGuestSpeaking(this.#text, this.#hasFirmware);
  }

  /** What it has done to its disks. */
  look({ readBytes, writtenBytes }: DiskUse): void {
    if (readBytes >= minReadBytes || writtenBytes > 0n) this.#alive = true;
  }
}

/** Whether a console's output is the guest's, not the firmware's (SeaBIOS); pure. */
export function isGuestSpeaking(output: string, hasFirmware: boolean): boolean {
  const text = output.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "");
  if (!hasFirmware) return /[!-~]/.test(text);
  const booting = text.lastIndexOf("Booting from");
  const end = text.indexOf("\n", booting);
  if (booting === -1 || end === -1) return false;
  const lines = text.slice(end).split(/[\r\n]+/);
  // A line may have come only in part.
  const isFirmware = (line: string): boolean =>
    firmwareLines.some((known) => line.startsWith(known) || known.startsWith(line));
  return lines.some((line) => /[!-~]/.test(line) && !isFirmware(line.trim()));
}
