import type { FieldViolation } from "./errors.js";
import { quote } from "./names.js";

/**
 * What is wrong with environment variables for a program in a guest: names of letters, digits and "_"; values of one line, without
 * control characters but the tab. A line break would be harmless to the program, but files, logs and scripts that take variables line
 * by line would read a second one. `field` is their proto path.
 */
export function checkVariables(field: string, variables: Readonly<Record<string, string>>): readonly FieldViolation[] {
  return Object.entries(variables).flatMap(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      return [{ field, description: `${quote(name)} is not a variable name: use letters, digits and "_"` }];
    }
    const [character] = /(?!\t)[\p{Cc}\u2028\u2029]/u.exec(value) ?? [];
    if (character === undefined) return [];
    const description = `holds the control character ${quote(character)}; only tabs are taken, so encode it, or put it into a file`;
    return [{ field: `${field}[${quote(name)}]`, description }];
  });
}
