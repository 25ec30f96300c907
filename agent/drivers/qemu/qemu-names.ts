import { failedPrecondition } from "../../../lib/errors.js";
import { run, ToolError } from "../../host/exec.js";
import { type Architecture, qemuPrograms } from "./program.js";

/** Names that a QEMU knows. */
export interface QemuNames {
  readonly models: ReadonlySet<string>;
  /** Features of processors. */
  readonly features: ReadonlySet<string>;
  readonly machines: ReadonlySet<string>;
}

/** Asks the host's QEMU which names it knows, once; again when it may have been upgraded since. */
export class QemuKnowledge {
  readonly #known = new Map<Architecture, QemuNames>();

  /**
   * Whether QEMU knows what is looked for. One that is not known is asked for anew before it is called unknown.
   * @throws {ZorError} FAILED_PRECONDITION when there is no such QEMU.
   */
  async knows(architecture: Architecture, find: (names: QemuNames) => boolean, signal: AbortSignal): Promise<boolean> {
    const known = this.#known.get(architecture);
    if (known !== undefined && find(known)) return true;
    const names = await askNames(architecture, signal);
    this.#known.set(architecture, names);
    return find(names);
  }
}

async function askNames(architecture: Architecture, signal: AbortSignal): Promise<QemuNames> {
  const { tool, debianPackage } = qemuPrograms[architecture];
  try {
    const [cpus, machines] = await Promise.all([
      // Arm's QEMU tells the processors of a machine only.
      run(tool, [...(architecture === "aarch64" ? ["-machine", "virt"] : []), "-cpu", "help"], { signal }),
      run(tool, ["-machine", "help"], { signal }),
    ]);
    return { ...parseCpuHelp(cpus.stdout), machines: new Set(firstWords(machines.stdout)) };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw failedPrecondition(
      "QEMU_MISSING",
      "instance.spec.qemu",
      `instance.spec.qemu: ${error.message}; install it on the host with: apt-get install ${debianPackage}`,
    );
  }
}

/** Reads what "-cpu help" prints; pure. */
export function parseCpuHelp(text: string): Pick<QemuNames, "models" | "features"> {
  const [models = "", features = ""] = text.split("Recognized CPUID flags:");
  const names = [...models.matchAll(/^(?:x86 | {2})([A-Za-z0-9][\w.-]*)/gm)].map((match) => match[1] ?? "");
  return { models: new Set(names), features: new Set(features.split(/\s+/).filter((word) => word !== "")) };
}

function firstWords(text: string): readonly string[] {
  return text.split("\n").flatMap((line) => /^([a-z0-9][\w.-]*)\s/.exec(line)?.[1] ?? []);
}
