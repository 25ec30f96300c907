const prefix = "zor-boot/";
/** Begins what the hub says, instead of TLS, on a connection whose agent it does not use; the reason follows, then a newline. */
export const refusalMark = "refused: ";
/** A reason is short; whatever follows is not read. */
const maxRefusalBytes = 2048;

/** The TLS application protocol by which an agent that dials the hub tells which of its processes it is. */
export function bootProtocol(boot: string): string {
  return `${prefix}${boot}`;
}

/** The process that a protocol names; "" for another protocol, or none. */
export function bootOf(protocol: string): string {
  return protocol.startsWith(prefix) ? protocol.slice(prefix.length) : "";
}

/** The reason in the hub's first bytes; undefined when they are no refusal. */
export function refusalIn(bytes: Buffer): string | undefined {
  const text = bytes.subarray(0, maxRefusalBytes).toString("utf8");
  if (!text.startsWith(refusalMark)) return undefined;
  return text
    .slice(refusalMark.length)
    .replace(/[^\x20-\x7e]/g, " ")
    .trim();
}
