import type { FieldViolation } from "../../../lib/errors.js";
import { checkVariables } from "../../../lib/variables.js";

const maxWords = 1024;
const maxVariables = 1024;
/** Linux takes 128 KiB for one argument and 2 MiB for all. */
const maxTotalBytes = 128 * 1024;

/** What is wrong with the words of a command. `field` is their proto path. */
export function checkCommand(field: string, command: readonly string[]): readonly FieldViolation[] {
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

/** What is wrong with the environment of a command. `field` is its proto path. */
export function checkEnvironment(
  field: string,
  environment: Readonly<Record<string, string>>,
): readonly FieldViolation[] {
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
