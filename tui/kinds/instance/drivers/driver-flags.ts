import type { Flag, FlagValues } from "../../../kit/kind-commands.js";

/** A driver's own flags of `zor create instance`: for what people say often. All else goes with --option. */
export interface DriverFlags {
  /** Name of the driver, and of its options in InstanceSpec. */
  readonly driver: string;
  readonly flags: readonly Flag[];
  /** It takes a command, after "--". */
  readonly takesCommand: boolean;
  /** The driver's options as proto3 JSON. @throws {ZorError} INVALID_ARGUMENT that names the flag. */
  read(values: FlagValues, words: readonly string[]): Readonly<Record<string, unknown>>;
  /** What is missing, when it is; `options` are with those of --option. @throws {ZorError} INVALID_ARGUMENT that names the flag. */
  check(options: Readonly<Record<string, unknown>>): void;
}
