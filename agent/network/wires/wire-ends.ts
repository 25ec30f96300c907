import { failedPrecondition } from "../../../lib/errors.js";
import type { NicWires } from "../instance-networks.js";

/** A wire as it should be. */
export interface WireConfig {
  /** Resource name. */
  readonly name: string;
  readonly uid: string;
  /** Resource names of the NICs at its ends; "": nothing is plugged in. */
  readonly a: string;
  readonly b: string;
  readonly cut: boolean;
  readonly keepCarrier: boolean;
  /** What is behind end b is not reached: end a has no carrier, and frames go on. Default: no. */
  readonly isDark?: boolean;
  /** In bytes; undefined: that of the NICs stays. */
  readonly mtu: number | undefined;
  /** Frames go through two ports in the middle, see setMiddle of agent/network/wires/wires.ts. Default: from NIC to NIC. */
  readonly isSplit?: boolean;
}

/** The interface of what is at an end on the host, of a NIC while its instance runs. */
export interface NicInterface {
  readonly port: string;
  /** In bytes. */
  readonly mtu: number;
  /** Carrier is given by the state of the port; false: by the driver, which is told. */
  readonly isVeth: boolean;
  /** There is nothing behind the port that carrier could be shown to: it stays up. Default: there is. */
  readonly isAlwaysUp?: boolean;
  /** Whether a cable is in it that somebody is at the other end of. Default: what is there has one. */
  readonly hasCable?: () => boolean;
  /** Gives it the MTU of a wire, in bytes. Absent: it takes it up with its next start. */
  readonly setMtu?: (mtu: number) => Promise<void>;
}

/** Keeps what wires can end at that is taken out of the host for them. */
export interface EndKeeper {
  /** Looks whether a wire can have it; changes nothing. @throws {ZorError} */
  examine(end: string): Promise<void>;
  /** A wire has taken it, or has let go of it: it is brought where it belongs now. @throws {ZorError} */
  follow(end: string): Promise<void>;
}

/** One end of a wire as it is. */
export interface ObservedEnd {
  readonly port: string;
  readonly carrier: boolean;
  readonly mtu: number;
}

/** A wire as it is. */
export interface ObservedWire {
  readonly a: ObservedEnd;
  readonly b: ObservedEnd;
  /** Why no frame passes; "": they do. */
  readonly fault: string;
}

/** What is plugged in as a whole is in a lan or in a wire. @throws {ZorError} FAILED_PRECONDITION: it is in a wire. */
export function assertInOne(
  { name, spec }: { readonly name: string; readonly spec: { readonly lan: string } },
  wires: Pick<NicWires, "holderOf"> | undefined,
): void {
  const holder = wires?.holderOf(name) ?? "";
  if (spec.lan !== "" && holder !== "") throw nicInWire(name, holder);
}

/** The link that ends at something, if one does. */
export function linksAt(name: string, wires: Pick<NicWires, "holderOf"> | undefined): readonly string[] {
  const holder = wires?.holderOf(name) ?? "";
  return holder.startsWith("links/") ? [holder] : [];
}

/** That a NIC is in a lan, so that no wire can have it. */
export function nicInLan(nic: string, lan: string): Error {
  return failedPrecondition(
    "NIC_PLUGGED",
    nic,
    `${nic} is plugged into lan ${lan}; ${collectionOf(nic) === "instances" ? "detach it" : "take it out"} first`,
  );
}

/** That a NIC is in a wire, so that nothing else can have it. */
export function nicInWire(nic: string, wire: string): Error {
  return failedPrecondition(
    "NIC_PLUGGED",
    nic,
    `${nic} is plugged into ${wire}; delete that, or unplug it there, first`,
  );
}

/** "taps" of "hosts/h1/taps/t1". The end of a link is there as a NIC is. */
export function collectionOf(end: string): string {
  return end.startsWith("hosts/") ? (end.split("/")[2] ?? "") : "instances";
}

/** Why what is at an end is not there, for people. */
export function whyAway(end: string): string {
  const collection = collectionOf(end);
  if (collection === "instances") return "the instance does not run, or has no such NIC";
  if (collection === "lans") return "its port in the lan is gone";
  return "it is not as it should be; look at it with: zor describe";
}

/** What ends are called for people: a lan has one for each wire. */
export function endText(end: string): string {
  return end.replace(/#.*$/, "");
}

/** An end in a lan: a port of its own for each wire. */
export function lanEnd(lan: string, wireUid: string): string {
  return `${lan}#${wireUid}`;
}

/** Those ends into which something is plugged. */
export function endsOf({ a, b }: WireConfig): readonly string[] {
  return [a, b].filter((nic) => nic !== "");
}
