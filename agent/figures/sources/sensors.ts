import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Figure } from "../../../proto/gen/zor/v1/figures.js";
import { KeptFile, readOnce } from "../kept-file.js";

/** Figures of a sensor. */
export const sensorFigures: readonly Figure[] = [Figure.FIGURE_TEMPERATURE];

const maxSensors = 32;
/** A reading takes a bus, not only memory: once in so many samples. */
const everySamples = 5;

/** What a sensor tells. */
interface Reading {
  readonly name: string;
  /** It was not there before. */
  readonly isNew: boolean;
  readonly milliDegrees: number;
}

/** The thermal zones of a host (/sys/class/thermal). */
export class Sensors {
  readonly #directory: string;
  #files: ReadonlyMap<string, KeptFile> | undefined;
  readonly #told = new Set<string>();
  #samples = 0;

  constructor(sys: string) {
    this.#directory = join(sys, "class/thermal");
  }

  /** What they tell; nothing in most samples. */
  read(): readonly Reading[] {
    this.#files ??= this.#find();
    if (this.#files.size === 0 || this.#samples++ % everySamples !== 0) return [];
    return [...this.#files].flatMap(([name, file]) => {
      const milliDegrees = Number.parseInt(file.read() ?? "", 10);
      if (Number.isNaN(milliDegrees)) return [];
      const isNew = !this.#told.has(name);
      this.#told.add(name);
      return [{ name, isNew, milliDegrees }];
    });
  }

  close(): void {
    for (const file of this.#files?.values() ?? []) file[Symbol.dispose]();
  }

  #find(): ReadonlyMap<string, KeptFile> {
    const files = new Map<string, KeptFile>();
    for (const zone of zonesOf(this.#directory).slice(0, maxSensors)) {
      const type = readOnce(join(this.#directory, zone, "type"))?.trim() ?? "";
      const plain = type.replaceAll(/[^A-Za-z0-9_.-]/g, "_").slice(0, 40);
      const name = plain === "" || files.has(plain) ? zone : plain;
      files.set(name, new KeptFile(join(this.#directory, zone, "temp")));
    }
    return files;
  }
}

function zonesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter((name) => /^thermal_zone\d+$/.test(name));
  } catch {
    return [];
  }
}
