import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { parseWhole } from "./key-values.js";

/** A port of this machine that leads to one of an instance. */
export interface ForwardedPort {
  /** 0: a free one. */
  readonly local: number;
  readonly remote: number;
}

/** Reads "LOCAL:REMOTE", or "REMOTE" for the same here. @throws {ZorError} INVALID_ARGUMENT that names the field. */
export function parseForward(where: string, text: string): ForwardedPort {
  const [first = "", second, ...more] = text.split(":");
  if (more.length > 0) throw invalidArgument(where, `${quote(text)} must be LOCAL:REMOTE or REMOTE`);
  const remote = parseWhole(where, second ?? first, 1, 65_535);
  return { remote, local: second === undefined ? remote : parseWhole(where, first, 0, 65_535) };
}
