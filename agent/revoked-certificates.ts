import { join } from "node:path";
import { z } from "zod";
import { invalidArgument } from "../lib/errors.js";
import { maxRevokedSerials, type Revocations } from "../lib/grpc/revocation.js";
import type { Log } from "../lib/log.js";
import { readTwinFile, writeTwinFile } from "./twin-file.js";

const schema = z.object({
  serials: z.array(z.string().regex(/^[0-9A-F]{1,64}$/)).max(maxRevokedSerials),
});

/** The certificates the hub has revoked, kept on disk so that they are refused without the hub too. */
export class RevokedCertificates implements Revocations {
  readonly #path: string;
  readonly #listeners = new Set<() => void>();
  #serials: ReadonlySet<string>;
  /** What is on disk. */
  #stored: string;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, serials: readonly string[]) {
    this.#path = path;
    this.#serials = new Set(serials);
    this.#stored = format(serials);
  }

  /** Reads the list of the state directory. A list that cannot be read is empty until the hub tells it again. */
  static async open(stateDirectory: string, log: Log): Promise<RevokedCertificates> {
    const path = join(stateDirectory, "revoked.json");
    const parse = (text: string) => schema.parse(JSON.parse(text));
    const stored = await readTwinFile(path, parse, (damage) => log.error(damage));
    return new RevokedCertificates(path, stored?.serials ?? []);
  }

  readonly isRevoked = (serial: string): boolean => this.#serials.has(serial);

  readonly onRevocation = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /**
   * Replaces the list: in force at once, durable when it resolves.
   * @throws {ZorError} INVALID_ARGUMENT for what is no list of serial numbers, or too long; nothing has changed then.
   * @throws what writing throws; the list is in force nevertheless.
   */
  async replace(serials: readonly string[]): Promise<void> {
    if (!schema.safeParse({ serials }).success) {
      throw invalidArgument(
        "revoked_serials",
        `must be at most ${maxRevokedSerials} serial numbers in upper-case hexadecimal`,
      );
    }
    this.#serials = new Set(serials);
    for (const listener of [...this.#listeners]) listener();
    const written = this.#writing.then(() => this.#write());
    this.#writing = written.catch(() => undefined);
    await written;
  }

  /** Writes what is in force now, which may be newer than what the caller set. */
  async #write(): Promise<void> {
    const text = format([...this.#serials]);
    if (text === this.#stored) return;
    await writeTwinFile(this.#path, text);
    this.#stored = text;
  }
}

function format(serials: readonly string[]): string {
  return `${JSON.stringify({ serials })}\n`;
}
