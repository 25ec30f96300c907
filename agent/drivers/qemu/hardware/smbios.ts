import type { FieldViolation } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { violation } from "../options.js";
import type { Asked, HardwarePart } from "./part.js";

/** Strings that the guest reads, by type of table. */
interface SmbiosPlan {
  /** "{table}.{string}" and value. */
  readonly strings: readonly (readonly [string, string])[];
  readonly oem: readonly string[];
}

/** Types of SMBIOS tables, and their strings by QEMU's names. */
const tables = {
  bios: { type: 0, strings: ["vendor", "version", "date"] },
  system: { type: 1, strings: ["manufacturer", "product", "version", "serial", "sku", "family"] },
  board: { type: 2, strings: ["manufacturer", "product", "version", "serial", "asset", "location"] },
  chassis: { type: 3, strings: ["manufacturer", "version", "serial", "asset", "sku"] },
} as const;
const oemType = 11;
const maxOem = 16;
const valuePattern = /^[\x20-\x7e]{1,255}$/;
const names = Object.entries(tables).flatMap(([table, { strings }]) => strings.map((string) => `${table}.${string}`));

export const smbios: HardwarePart<SmbiosPlan> = {
  check,
  open: async ({ options }) => {
    const strings = names.flatMap((name) => {
      const value = options.smbios[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    return strings.length + options.oemStrings.length === 0 ? undefined : { strings, oem: options.oemStrings };
  },
  toArguments: ({ strings, oem }) => ({
    argv: [
      ...Object.entries(tables).flatMap(([table, { type }]) => {
        const of = strings.flatMap(([name, value]) =>
          name.startsWith(`${table}.`) ? [`${name.slice(table.length + 1)}=${doubled(value)}`] : [],
        );
        return of.length === 0 ? [] : ["-smbios", [`type=${type}`, ...of].join(",")];
      }),
      ...(oem.length === 0
        ? []
        : ["-smbios", [`type=${oemType}`, ...oem.map((value) => `value=${doubled(value)}`)].join(",")]),
    ],
  }),
};

/** A comma ends a property of QEMU unless it is doubled. */
function doubled(value: string): string {
  return value.replaceAll(",", ",,");
}

function check({ options }: Asked): FieldViolation[] {
  const entries = Object.entries(options.smbios);
  const violations: FieldViolation[] = [];
  if (entries.length + options.oemStrings.length > 0 && options.machine === "microvm") {
    violations.push(violation("qemu.smbios", 'a microvm has no such tables; use "q35"'));
  }
  const unknown = entries.find(([name]) => !names.includes(name));
  if (unknown !== undefined) {
    violations.push(violation("qemu.smbios", `${quote(unknown[0])} is none of ${names.join(", ")}`));
  }
  const bad = entries.find(([, value]) => !valuePattern.test(value));
  if (bad !== undefined) {
    violations.push(
      violation("qemu.smbios", `the value of ${quote(bad[0])} must be 1 to 255 characters of printable ASCII`),
    );
  }
  if (options.oemStrings.length > maxOem) {
    violations.push(violation("qemu.oem_strings", `${options.oemStrings.length} are more than ${maxOem}`));
  }
  const index = options.oemStrings.findIndex((value) => !valuePattern.test(value));
  if (index !== -1) {
    violations.push(violation(`qemu.oem_strings[${index}]`, "must be 1 to 255 characters of printable ASCII"));
  }
  return violations;
}
