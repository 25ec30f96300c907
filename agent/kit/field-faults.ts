import { type FieldViolation, ZorError } from "../../lib/errors.js";

/** How the specification of a kind is checked, field by field. */
export interface FieldFaults {
  /** A fault of a field, if it is one. */
  when(isBad: boolean, field: string, description: string): readonly FieldViolation[];
  /** What a parser, which is given the field's proto path, has against it. */
  of(field: string, parse: (path: string) => unknown): readonly FieldViolation[];
  /** Fields that are another than before, and must not be; nothing where there was nothing before. */
  unchanged<S extends object>(spec: S, before: S | undefined, fields: Fixed<S>): readonly FieldViolation[];
}

/** Fields that cannot be changed: as they are called in the message, and in proto. */
type Fixed<S extends object> = readonly (readonly [key: keyof S, field: string])[];

/** @param kind its singular, "tap", as the first part of the paths of its fields. */
export function fieldFaults(kind: string): FieldFaults {
  const pathOf = (field: string): string => `${kind}.spec.${field}`;
  const when: FieldFaults["when"] = (isBad, field, description) =>
    isBad ? [{ field: pathOf(field), description }] : [];
  return {
    when,
    of: (field, parse) => {
      try {
        parse(pathOf(field));
        return [];
      } catch (error) {
        if (error instanceof ZorError) return error.violations;
        throw error;
      }
    },
    unchanged: (spec, before, fields) => {
      if (before === undefined) return [];
      const told = (value: unknown): string => JSON.stringify(value) ?? "unset";
      return fields.flatMap(([key, field]) =>
        when(
          spec[key] !== before[key],
          field,
          `cannot be changed: it is ${told(before[key])}; delete the ${kind} and make another`,
        ),
      );
    },
  };
}
