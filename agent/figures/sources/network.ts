import type { Lan } from "../../../proto/gen/zor/v1/lan.js";
import type { Wire } from "../../../proto/gen/zor/v1/wire.js";
import type { PluggedEnd } from "../../network/plugged-lan.js";
import type { Subject, Subjects } from "../subject.js";
import type { Devices } from "./devices.js";
import type { Source } from "./source.js";
import { setTraffic, sumOf, trafficFigures } from "./traffic.js";

/** What the source needs of the agent around it. */
interface Surroundings {
  readonly subjects: Subjects;
  readonly devices: Devices;
  readonly lans: () => readonly Lan[];
  readonly wires: () => readonly Wire[];
  /** Links that are plugged into something else than a lan. */
  readonly pluggedEnds: () => readonly PluggedEnd[];
}

interface Counted {
  readonly subject: Subject;
  /** Names of the devices that count. */
  readonly devices: readonly string[];
  /** It is still there. */
  seen: boolean;
}

/** What passes lans, their ports, wires, and links where they come out. */
export class NetworkSource implements Source {
  readonly #around: Surroundings;
  /** By name and part. */
  readonly #counted = new Map<string, Counted>();
  #isOld = true;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** What there is has changed. */
  changed(): void {
    this.#isOld = true;
  }

  collect(): void {
    if (this.#isOld) this.#look();
    for (const { subject, devices } of this.#counted.values()) {
      const traffic = sumOf(devices.map((device) => this.#around.devices.find(device)));
      if (traffic !== undefined) setTraffic(subject, 0, traffic);
    }
  }

  close(): void {
    this.#counted.clear();
  }

  #look(): void {
    this.#isOld = false;
    for (const counted of this.#counted.values()) counted.seen = false;
    for (const { name, status } of this.#around.lans()) {
      const ports = status?.ports ?? [];
      this.#count(
        name,
        "",
        ports.map(({ port }) => port),
      );
      for (const { endpoint, port } of ports) {
        this.#count(name, endpoint === "" ? port : endpoint, [port]);
        // A link is where its end is plugged in.
        if (endpoint.startsWith("links/")) this.#count(endpoint, name, [port]);
      }
    }
    for (const { name, status } of this.#around.wires()) {
      for (const [end, port] of [
        ["a", status?.endA?.port ?? ""],
        ["b", status?.endB?.port ?? ""],
      ] as const) {
        if (port !== "") this.#count(name, end, [port]);
      }
    }
    for (const { link, end, port } of this.#around.pluggedEnds()) this.#count(link, end, [port]);
    for (const [key, { subject, seen }] of this.#counted) {
      if (seen) continue;
      this.#counted.delete(key);
      this.#around.subjects.remove(subject);
    }
  }

  #count(name: string, part: string, devices: readonly string[]): void {
    const key = `${name} ${part}`;
    const known = this.#counted.get(key);
    if (known !== undefined && known.devices.join() === devices.join()) {
      known.seen = true;
      return;
    }
    // What others counted before was not counted here.
    if (known !== undefined) this.#around.subjects.remove(known.subject);
    const subject = this.#around.subjects.add(name, part, trafficFigures);
    this.#counted.set(key, { subject, devices, seen: true });
  }
}
