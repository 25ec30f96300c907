import { isIPv6 } from "node:net";
import { runJson } from "../../host/exec.js";
import { toldOf } from "../../host/told.js";
import { deviceMtu } from "../joins/linux-bridge.js";

/** What stands in front of a guest's packet within an IP packet of the host: UDP, VXLAN and the guest's ethernet header, in bytes. */
const insideBytes = 8 + 8 + 14;

/** The way from the host to another tunnel end. */
export interface RouteTo {
  /** Why there is none, for people; "": there is one. */
  readonly fault: string;
  /** Largest packet of a guest that goes whole, in bytes; undefined: not known. */
  readonly maxPacket: number | undefined;
}

interface ShownRoute {
  readonly type?: string;
  readonly dev?: string;
  readonly metrics?: readonly { readonly mtu?: number }[];
}

/** Asks the host's kernel. @param local address to go from; "": any. Never rejects. */
export async function routeTo(remote: string, local: string): Promise<RouteTo> {
  const from = local === "" ? [] : ["from", local];
  try {
    const [route] = (await runJson("ip", ["-j", "route", "get", remote, ...from])) as ShownRoute[];
    if (route?.type === "local") return none(`${remote} is an address of the host itself`);
    const mtu = route?.metrics?.find((each) => each.mtu !== undefined)?.mtu ?? deviceMtu(route?.dev ?? "");
    return { fault: "", maxPacket: mtu === undefined ? undefined : largestPacket(mtu, remote) };
  } catch (error) {
    const asked = local === "" ? remote : `${remote} from ${local}`;
    return none(`the host has no route to ${asked} (${toldOf(error)})`);
  }
}

/** Largest packet of a guest in a packet of the host of this size; pure. */
export function largestPacket(mtu: number, remote: string): number {
  return mtu - insideBytes - (isIPv6(remote) ? 40 : 20);
}

function none(fault: string): RouteTo {
  return { fault, maxPacket: undefined };
}
