import { type FieldViolation, invalidFields } from "../../../lib/errors.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { QemuOptions } from "../../../proto/gen/zor/v1/qemu.js";
import type { Architecture } from "./program.js";

/** The spec's options for this driver. @throws {ZorError} INVALID_ARGUMENT when it is for another. */
export function qemuOptionsOf(spec: InstanceSpec): QemuOptions {
  if (spec.driver?.$case === "qemu") return spec.driver.value;
  throw invalidFields([{ field: "instance.spec.driver", description: "is not qemu" }]);
}

/** Defaults that the instance layer fills in as well; they also hold when a spec comes from elsewhere. */
export function sizeOf(spec: InstanceSpec): { readonly cpus: number; readonly memoryMib: number } {
  return { cpus: spec.cpus ?? 1, memoryMib: Number(spec.memoryMib ?? 128n) };
}

/** Something wrong with a field of a spec; the path is below the spec, "qemu.machine". */
export function violation(path: string, description: string): FieldViolation {
  return { field: `instance.spec.${path}`, description };
}

/** The machine's processor. Checked specs have no other. */
export function architectureOf({ architecture }: Pick<QemuOptions, "architecture">): Architecture {
  return architecture === "aarch64" ? "aarch64" : "x86_64";
}
