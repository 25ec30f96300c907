import type { FieldViolation } from "./errors.js";
import { isId, quote } from "./names.js";

const maxLabels = 64;
const maxValueLength = 256;

/** Checks the labels of a resource: at most 64, keys like names, values of at most 256 printable characters. `field` is their proto path. */
export function checkLabels(field: string, labels: Readonly<Record<string, string>>): FieldViolation[] {
  const entries = Object.entries(labels);
  if (entries.length > maxLabels)
    return [{ field, description: `${entries.length} labels are more than ${maxLabels}` }];
  return entries.flatMap(([key, value]) => {
    if (!isId(key)) {
      return [{ field, description: `key ${quote(key)} is not valid: use 1 to 63 letters, digits, "-", "_" or "."` }];
    }
    if (value.length > maxValueLength || /[\p{C}\u2028\u2029]/u.test(value)) {
      return [
        { field, description: `the value of ${quote(key)} must be at most ${maxValueLength} printable characters` },
      ];
    }
    return [];
  });
}
