import { createHash } from "node:crypto";
import type { ObservedState } from "../driver.js";
import { findElement, parseXml, type XmlElement } from "./xml.js";

/** Names the mark of adopted domains in their XML. */
export const markNamespace = "urn:zorhub:libvirt:1";

/** How a screen is shown. */
export interface Graphics {
  /** "vnc", "spice". */
  readonly type: string;
  /** 0: none yet. */
  readonly port: number;
  /** Path of a unix socket; "": none. */
  readonly socket: string;
}

/** An interface of a domain. */
export interface DomainInterface {
  readonly mac: string;
  /** Device of the host that it is on; "": none. */
  readonly device: string;
}

/** A domain as its libvirt describes it. */
export interface Domain {
  readonly uuid: string;
  readonly name: string;
  readonly title: string;
  /** "kvm", "lxc", "test" and so on. */
  readonly hypervisor: string;
  /** Number that libvirt gave this run of it; undefined: it does not run. */
  readonly run: number | undefined;
  readonly state: ObservedState;
  /** State in libvirt's own words: "in shutdown". */
  readonly word: string;
  readonly cpus: number;
  readonly memoryMib: bigint;
  /** Why it is in this state, in libvirt's own words: "destroyed"; "": it does not say. */
  readonly why: string;
  /** It goes when it stops. */
  readonly isTransient: boolean;
  readonly hasConsole: boolean;
  /** There is something to take a picture of. */
  readonly hasScreen: boolean;
  readonly graphics: readonly Graphics[];
  readonly interfaces: readonly DomainInterface[];
  /** Uid of the host whose agent adopted it; undefined: none did. */
  readonly adoptedBy: string | undefined;
}

const maxText = 256;
const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const states: Readonly<Record<string, ObservedState>> = {
  running: "running",
  idle: "running",
  blocked: "running",
  "in shutdown": "running",
  paused: "paused",
  pmsuspended: "paused",
  "shut off": "stopped",
  crashed: "failed",
  "no state": "unknown",
};
/** Bytes of the units that libvirt writes memory in. */
const units: Readonly<Record<string, number>> = {
  ...{ b: 1, bytes: 1, KB: 1e3, k: 1024, KiB: 1024, MB: 1e6, M: 1024 ** 2, MiB: 1024 ** 2 },
  ...{ GB: 1e9, G: 1024 ** 3, GiB: 1024 ** 3, TB: 1e12, T: 1024 ** 4, TiB: 1024 ** 4 },
};

/** Whether a text is a UUID as libvirt prints them. */
export function isUuid(text: string): boolean {
  return uuidForm.test(text);
}

/** Reads what `virsh dominfo`, `virsh domstate --reason` and `virsh dumpxml` print, in this order. @throws {Error} when it is not that. */
export function parseDomain(output: string): Domain {
  const start = output.search(/^<domain[\s>]/m);
  if (start === -1) throw new Error("virsh printed no description of the domain");
  const info = output.slice(0, start);
  const word = fieldOf(info, "State");
  const id = fieldOf(info, "Id");
  const document = parseXml(output.slice(start));
  const uuid = textOf(document, "uuid");
  if (!isUuid(uuid)) throw new Error("the description of the domain has no UUID");
  const mark = findElement(document, "metadata")?.children.find((child) => isMark(child));
  return {
    uuid,
    word,
    name: textOf(document, "name"),
    title: textOf(document, "title").slice(0, maxText),
    hypervisor: (document.attributes.get("type") ?? "").slice(0, 32),
    run: /^[0-9]{1,10}$/.test(id) && Number(id) > 0 ? Number(id) : undefined,
    state: states[word] ?? "unknown",
    cpus: wholeOf(textOf(document, "vcpu"), 1),
    memoryMib: memoryOf(findElement(document, "memory")),
    why: /^[a-z -]{1,40} \(([a-z -]{1,40})\)$/m.exec(info)?.[1]?.replace(/^unknown$/, "") ?? "",
    isTransient: fieldOf(info, "Persistent") === "no",
    hasConsole: ["console", "serial"].some((name) => findElement(document, "devices", name) !== undefined),
    // The hypervisor for tests has a screen without being told to.
    hasScreen: findElement(document, "devices", "video") !== undefined || document.attributes.get("type") === "test",
    graphics: graphicsOf(document),
    interfaces: interfacesOf(document),
    adoptedBy: mark?.attributes.get("host"),
  };
}

/** What a domain is called here: its own name as far as that is possible, and what makes it one of many. The same for the same two. */
export function instanceIdOf(uri: string, domain: string): string {
  const scheme = /^[a-z]+/.exec(uri)?.[0] ?? "libvirt";
  const words = domain.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "");
  const mark = createHash("sha256").update(`${uri}\0${domain}`).digest("hex").slice(0, 6);
  return [scheme.slice(0, 12), words.slice(0, 40), mark].filter((part) => part !== "").join("-");
}

/** A line of `virsh dominfo`. Names have no line ends, so that nobody else writes a line of it. */
function fieldOf(info: string, key: string): string {
  const line = info.split("\n").find((each) => each.startsWith(`${key}:`));
  return line?.slice(key.length + 1).trim() ?? "";
}

function textOf(document: XmlElement, name: string): string {
  return findElement(document, name)?.text.trim() ?? "";
}

function isMark({ name, attributes }: XmlElement): boolean {
  const [prefix = "", local] = name.split(":");
  return local === "adopted" && attributes.get(`xmlns:${prefix}`) === markNamespace;
}

function graphicsOf(document: XmlElement): readonly Graphics[] {
  const devices = findElement(document, "devices")?.children ?? [];
  return devices
    .filter(({ name }) => name === "graphics")
    .map(({ attributes, children }) => {
      const listen = children.find(({ name }) => name === "listen");
      return {
        type: attributes.get("type") ?? "",
        port: wholeOf(attributes.get("port") ?? "", 0),
        socket: attributes.get("socket") ?? listen?.attributes.get("socket") ?? "",
      };
    });
}

function interfacesOf(document: XmlElement): readonly DomainInterface[] {
  const devices = findElement(document, "devices")?.children ?? [];
  return devices
    .filter(({ name }) => name === "interface")
    .map((each) => ({
      mac: findElement(each, "mac")?.attributes.get("address")?.toLowerCase() ?? "",
      device: findElement(each, "source")?.attributes.get("dev") ?? "",
    }));
}

function memoryOf(element: XmlElement | undefined): bigint {
  const unit = units[element?.attributes.get("unit") ?? "KiB"] ?? 1024;
  return BigInt(Math.max(1, Math.round((wholeOf(element?.text.trim() ?? "", 0) * unit) / 1024 ** 2)));
}

function wholeOf(text: string, otherwise: number): number {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : otherwise;
}
