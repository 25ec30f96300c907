import type { FieldViolation } from "../../../lib/errors.js";
import { checkVariables } from "../../../lib/variables.js";
import type { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { checkCapabilities } from "../containers/capabilities.js";
import { checkSysctls } from "../containers/sysctl-check.js";

/** What a container may use at most. */
export interface ContainerSize {
  readonly cpus: number;
  readonly memoryMib: number;
}

const base = "instance.spec.crun";
const maxWords = 1024;
const maxVariables = 1024;
/** Linux takes 128 KiB for one argument and 2 MiB for all. */
const maxTotalBytes = 128 * 1024;

/** What a spec asks for, with defaults. */
export function sizeOf(spec: InstanceSpec): ContainerSize {
  return { cpus: spec.cpus ?? 1, memoryMib: Number(spec.memoryMib ?? 128n) };
}

/** What is wrong with a container's options, apart from its image. */
export function checkOptions(options: CrunOptions): readonly FieldViolation[] {
  return [
    ...checkCommand(options.command),
    ...checkEnvironment(options.environment),
    ...checkCapabilities(`${base}.capabilities`, options.capabilities),
    ...checkSysctls(`${base}.sysctls`, options.sysctls),
  ];
}

function checkCommand(command: readonly string[]): readonly FieldViolation[] {
  const field = `${base}.command`;
  const violations: FieldViolation[] = [];
  if (command.length > maxWords) violations.push({ field, description: `has more than ${maxWords} words` });
  if (command[0] === "") violations.push({ field: `${field}[0]`, description: "is empty; name a program" });
  command.forEach((word, index) => {
    if (word.includes("\0")) violations.push({ field: `${field}[${index}]`, description: "holds a NUL byte" });
  });
  if (totalBytes(command) > maxTotalBytes)
    violations.push({ field, description: `is longer than ${maxTotalBytes} bytes` });
  return violations;
}

function checkEnvironment(environment: Readonly<Record<string, string>>): readonly FieldViolation[] {
  const field = `${base}.environment`;
  const entries = Object.entries(environment);
  const violations: FieldViolation[] = [];
  if (entries.length > maxVariables) violations.push({ field, description: `has more than ${maxVariables} variables` });
  violations.push(...checkVariables(field, environment));
  if (totalBytes(entries.flat()) > maxTotalBytes) {
    violations.push({ field, description: `is longer than ${maxTotalBytes} bytes` });
  }
  return violations;
}

function totalBytes(words: readonly string[]): number {
  return words.reduce((sum, word) => sum + Buffer.byteLength(word), 0);
}
