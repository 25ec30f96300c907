import { failedPrecondition, invalidArgument, notFound, permissionDenied } from "../../../lib/errors.js";
import { parseLink, parseName, quote } from "../../../lib/names.js";
import { findDevice } from "../../../lib/net/device.js";
import type { HostScope } from "../../kit/host-scope.js";
import type { References } from "../../kit/references.js";
import { toPhyPortName, toPortName, toTapPortName } from "../../network/names.js";
import type { ObservedLan, ObservedPort } from "../../network/observed-lan.js";
import type { NetworkPart } from "../../parts.js";

/** Where frames of a target pass. */
export interface Place {
  /** The same for the same place of the same target, whichever device is there. */
  readonly key: string;
  /** As the request has it. */
  readonly target: string;
  /** Resource name of what is at it, or name of a device of the host. */
  readonly endpoint: string;
  readonly device: string;
  readonly ifindex: number;
  /** Named net namespace; undefined: the agent's own. */
  readonly netns: string | undefined;
  readonly incomingOnly: boolean;
  /** What comes in at the device is what the endpoint sends. */
  readonly isOpposite: boolean;
}

/** What targets are found in. */
export interface TargetsOptions {
  readonly scope: HostScope;
  readonly references: References;
  readonly network: Pick<NetworkPart, "lans" | "wires">;
  /** Net namespace of the switch. */
  readonly netns: string;
  /** Devices of the host that may be captured at. */
  readonly devices: readonly string[];
}

const devicePattern = /^hosts\/([^/]+)\/devices\/([^/]+)$/;
/** What the kernel takes as the name of a device. */
const deviceName = /^(?!\.{1,2}$)[^\s/:]{1,15}$/;

/** Finds where the frames of targets pass: each frame of a target passes there exactly once, unless it is a box, which has two sides. */
export class Targets {
  readonly #options: TargetsOptions;

  constructor(options: TargetsOptions) {
    this.#options = options;
  }

  /** Where a target's frames pass now; what does not run or is not plugged in passes none yet. @throws {ZorError} for one that there is not. */
  places(target: string): readonly Place[] {
    const device = devicePattern.exec(target);
    if (device !== null) return this.#ofDevice(target, device[1] ?? "", device[2] ?? "");
    if (target.startsWith("links/")) return this.#ofLink(target);
    const parsed = parseName("targets", target);
    if (parsed.kind === "nic") {
      const { instance, nic } = this.#options.scope.parseNic("targets", target);
      return this.#ofNics(target, instance, nic);
    }
    if (parsed.kind !== "onHost") throw noTarget(target);
    switch (parsed.collection) {
      case "instances":
        return this.#ofNics(target, this.#options.scope.parse("instance", "targets", target));
      case "lans":
        return this.#ofLan(target);
      case "wires":
        return this.#ofWire(target);
      case "a2bs":
        return this.#ofBox(target);
      case "taps":
        return this.#ofMember(target, "tap");
      case "phys":
        return this.#ofMember(target, "phy");
      case "nats":
        return this.#ofMember(target, "nat");
      default:
        throw noTarget(target);
    }
  }

  /** Of links that come from other hosts nothing is known but what is plugged in: whoever names one that has no end here hears it. */
  #ofLink(target: string): readonly Place[] {
    parseLink("targets", target);
    return this.#plugged(target, this.#options.network.lans.list());
  }

  /** @throws {ZorError} for a link that has no end on this host now. */
  checkLink(target: string): void {
    if (!target.startsWith("links/") || this.#ofLink(target).length > 0) return;
    throw failedPrecondition(
      "NO_END",
      `hosts/${this.#options.scope.host}`,
      `${target} has no end on hosts/${this.#options.scope.host} that is plugged into a lan now; look with: zor describe link ${target.slice("links/".length)}`,
    );
  }

  #ofDevice(target: string, host: string, device: string): readonly Place[] {
    const { scope, devices } = this.#options;
    scope.parseSelf("targets", `hosts/${host}`);
    if (!deviceName.test(device)) throw invalidArgument("targets", `${quote(device)} is no name of a device`);
    if (!devices.includes(device)) {
      throw permissionDenied(
        `hosts/${host} lets nobody capture at its device ${device}: its administrator allows that with the agent's setting captureDevices`,
        `hosts/${host}`,
      );
    }
    const place = { device, netns: undefined, incomingOnly: false, isOpposite: false };
    return this.#at({ key: target, target, endpoint: device, ...place });
  }

  #ofNics(target: string, instance: string, only?: string): readonly Place[] {
    const { references, scope } = this.#options;
    const found = references.find("instance", instance);
    const name = `hosts/${scope.host}/instances/${instance}`;
    if (found === undefined) throw notFound(name, "list them with: zor get instances");
    const nics = found.spec?.nics ?? [];
    if (only !== undefined && !nics.some((nic) => nic.name === only)) {
      const names = nics.map((nic) => nic.name).join(", ");
      throw notFound(`${name}/nics/${only}`, `it has ${names === "" ? "no NICs" : names}`);
    }
    return nics.flatMap((nic, index) => {
      if (only !== undefined && nic.name !== only) return [];
      const endpoint = `${name}/nics/${nic.name}`;
      return this.#inSwitch({ target, endpoint, device: toPortName(found.uid, index) });
    });
  }

  #ofLan(target: string): readonly Place[] {
    const lan = this.#lan(target, this.#options.scope.parse("lan", "targets", target));
    // What goes out of a lan has come into it: so every frame is there once, and it is known where it came from.
    return (lan?.ports ?? []).flatMap((port) =>
      this.#inSwitch({ ...port, target, device: port.port, incomingOnly: true }),
    );
  }

  #ofWire(target: string): readonly Place[] {
    const { references, network, scope } = this.#options;
    const wire = references.find("wire", scope.parse("wire", "targets", target));
    if (wire === undefined) throw notFound(target, "list them with: zor get wires");
    const seen = network.wires?.observe(wire.uid);
    // All that passes a wire passes either end.
    const isAtA = seen !== undefined && seen.a.port !== "";
    const device = (isAtA ? seen.a.port : seen?.b.port) ?? "";
    const endpoint = (isAtA ? wire.spec?.a : wire.spec?.b) ?? "";
    return device === "" ? [] : this.#inSwitch({ target, endpoint, device });
  }

  #ofBox(target: string): readonly Place[] {
    const { references, network, scope } = this.#options;
    const box = references.find("a2b", scope.parse("a2b", "targets", target));
    if (box === undefined) throw notFound(target, "list them with: zor get a2bs");
    const lans = [box.spec?.lanA ?? "", box.spec?.lanB ?? ""].map((id) => network.lans.find(id));
    return this.#plugged(
      target,
      lans.filter((lan) => lan !== undefined),
    );
  }

  /** What is in a lan by one port, if it is in any; taps and phys may be in a wire instead. */
  #ofMember(target: string, kind: "tap" | "phy" | "nat"): readonly Place[] {
    const { references, network, scope } = this.#options;
    const member = references.find(kind, scope.parse(kind, "targets", target));
    if (member === undefined) throw notFound(target, `list them with: zor get ${kind}s`);
    const isWired = kind !== "nat" && (network.wires?.holderOf(target) ?? "") !== "";
    if (isWired) {
      const device = kind === "tap" ? toTapPortName(member.uid) : toPhyPortName(member.uid);
      return this.#inSwitch({ target, endpoint: target, device });
    }
    const lan = network.lans.find(member.spec?.lan ?? "");
    return this.#plugged(target, lan === undefined ? [] : [lan]);
  }

  #plugged(target: string, lans: readonly ObservedLan[]): readonly Place[] {
    return lans.flatMap(({ id, ports }) => {
      const isIt = ({ endpoint }: ObservedPort): boolean => endpoint === target;
      return ports
        .filter(isIt)
        .flatMap(({ port }) => this.#inSwitch({ target, endpoint: target, device: port, lan: id }));
    });
  }

  #lan(target: string, id: string): ObservedLan | undefined {
    if (!this.#options.references.has("lan", id)) throw notFound(target, "list them with: zor get lans");
    return this.#options.network.lans.find(id);
  }

  /** @param place.lan tells places of the same endpoint apart. */
  #inSwitch(place: {
    readonly target: string;
    readonly endpoint: string;
    readonly device: string;
    readonly lan?: string;
    readonly incomingOnly?: boolean;
  }): readonly Place[] {
    const { target, endpoint, device, lan = "", incomingOnly = false } = place;
    const { netns } = this.#options;
    const key = `${target} ${endpoint} ${lan}`;
    return this.#at({ key, target, endpoint, device, netns, incomingOnly, isOpposite: true });
  }

  #at(place: Omit<Place, "ifindex">): readonly Place[] {
    const found = findDevice(place.netns, place.device);
    return found === undefined ? [] : [{ ...place, ifindex: found.index }];
  }
}

function noTarget(target: string): Error {
  return invalidArgument(
    "targets",
    `${quote(target)} is nothing that frames pass: name a NIC, instance, lan, wire, in-line box, tap, phy, nat, link or device of this host`,
  );
}
