import type { FieldViolation } from "./errors.js";
import { isId, quote } from "./names.js";

const maxLabels = 64;
const maxValueLength = 256;
const maxAnnotations = 64;
const maxAnnotationBytes = 64 * 1024;

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

/** Checks the annotations of a resource: at most 64, keys like names, 64 KiB of UTF-8 together. `field` is their proto path. */
export function checkAnnotations(field: string, annotations: Readonly<Record<string, string>>): FieldViolation[] {
  const entries = Object.entries(annotations);
  if (entries.length > maxAnnotations) {
    return [{ field, description: `${entries.length} annotations are more than ${maxAnnotations}` }];
  }
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  if (bytes > maxAnnotationBytes) {
    return [{ field, description: `${bytes} bytes of annotations are more than ${maxAnnotationBytes}` }];
  }
  return entries.flatMap(([key]) =>
    isId(key)
      ? []
      : [{ field, description: `key ${quote(key)} is not valid: use 1 to 63 letters, digits, "-", "_" or "."` }],
  );
}
