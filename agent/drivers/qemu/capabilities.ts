import type { Capability } from "../../../proto/gen/zor/v1/host.js";
import { findMicroImage, type MicroImage, microRemedy } from "../images.js";
import { findMissingTool, findQemuVersion, type QemuVersion } from "./fingerprint.js";
import type { KvmVerdict } from "./kvm-probe.js";
import { findSpiceProblem } from "./qemu-probe.js";

/** What is looked at. */
interface Looked {
  readonly imageDirectories: readonly string[];
  readonly kvm: Promise<KvmVerdict>;
  readonly signal: AbortSignal;
}

/** What machines can have on this host. */
export async function findCapabilities({ imageDirectories, kvm, signal }: Looked): Promise<readonly Capability[]> {
  const [qemu, missingTool, microImage, verdict, spiceProblem] = await Promise.all([
    findQemuVersion(signal),
    findMissingTool(signal),
    findMicroImage(imageDirectories),
    kvm,
    findSpiceProblem(signal),
  ]);
  return toCapabilities({ qemu, missingTool, kvm: verdict, microImage, spiceProblem });
}

/** What is known about QEMU on this host. */
export interface QemuFacts {
  readonly qemu: QemuVersion;
  readonly missingTool: string | undefined;
  readonly kvm: KvmVerdict;
  readonly microImage: MicroImage | undefined;
  /** Why no machine can have SPICE; undefined: it can. */
  readonly spiceProblem: string | undefined;
}

/** The facts as capabilities; pure. */
export function toCapabilities({ qemu, missingTool, kvm, microImage, spiceProblem }: QemuFacts): readonly Capability[] {
  const problem = "missing" in qemu ? qemu.missing : missingTool;
  const version = "version" in qemu ? `QEMU ${qemu.version}` : "";
  const usable = problem === undefined;
  return [
    { id: "driver.qemu", available: usable, version, reason: problem ?? (kvm.works ? "" : `emulated: ${kvm.reason}`) },
    { id: "driver.qemu.kvm", available: usable && kvm.works, version: "", reason: problem ?? kvm.reason },
    { id: "driver.qemu.tcg", available: usable, version: "", reason: problem ?? "" },
    {
      id: "driver.qemu.spice",
      available: usable && spiceProblem === undefined,
      version: "",
      reason: problem ?? spiceProblem ?? "",
    },
    {
      id: "driver.qemu.micro",
      available: microImage !== undefined,
      version: "",
      reason: microImage === undefined ? `the built-in guest image is missing; ${microRemedy}` : "",
    },
  ];
}
