import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { messageOf } from "../../../lib/errors.js";
import { parseHostPort } from "../../../lib/socket-address.js";
import { refusalOfUnderlayIp } from "../../../lib/underlay-address.js";
import { CableFailure } from "./failure.js";

/**
 * The IP behind a peer's address, looked up at each dial. What a name means is judged as an address would be, and it is that very IP which is
 * dialled: nobody can point a name elsewhere in between. @throws {CableFailure}
 */
export async function resolvePeer(
  address: string,
  signal: AbortSignal,
): Promise<{ readonly ip: string; readonly port: number }> {
  const wanted = parseHostPort(address);
  if (wanted === undefined) throw new CableFailure("unreachable", `${address} is no address`);
  const { host, port } = wanted;
  // Whoever gave a literal has judged it.
  if (isIP(host) !== 0) return { ip: host, port };
  const found = await raced(lookup(host, { all: true }), signal).catch((error: unknown) => {
    throw new CableFailure("unreachable", `${host} cannot be resolved (${messageOf(error)})`, error);
  });
  const judged = found.map(({ address: ip }) => ({ ip, refusal: refusalOfUnderlayIp(ip) }));
  const good = judged.find(({ refusal }) => refusal === undefined);
  if (good !== undefined) return { ip: good.ip, port };
  const why = judged.map(({ ip, refusal }) => `${ip}, ${refusal ?? ""}`).join("; ");
  throw new CableFailure("unreachable", `${host} means nothing that a link may use (${why})`);
}

/** A lookup cannot be ended, but need not be waited for. */
async function raced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(new Error("no answer in time"));
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
