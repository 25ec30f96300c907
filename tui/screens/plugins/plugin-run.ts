import { invalidArgument } from "../../../lib/errors.js";
import { hubOf } from "../../kit/hubs.js";
import { shortName } from "../../kit/resource-name.js";
import { labelsOf, type Row } from "../../kit/row.js";
import type { Plugin } from "../../settings/plugin.js";

/** What a plugin is run with. */
export interface PluginCall {
  /** Program and arguments; never a line for a shell. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Works out what is run for a resource, or for none. @throws {ZorError} INVALID_ARGUMENT when something is not there or would be taken for an option. */
export function pluginCall(
  plugin: Plugin,
  {
    row,
    context,
    inputs,
  }: { readonly row: Row | undefined; readonly context: string; readonly inputs: Readonly<Record<string, string>> },
): PluginCall {
  // Of several hubs in one view it is run for that of the row, which knows names without it.
  const hub = hubOf(row?.name ?? "");
  const bare = (name: string): string => (hub === "" ? name : name.replace(`@${hub}`, ""));
  const fields: Readonly<Record<string, string>> = {
    ...(row === undefined
      ? {}
      : {
          name: bare(shortName(row.name)),
          id: bare(row.id),
          host: bare(row.host),
          kind: row.kind,
          resource: bare(row.name),
        }),
    context: hub || context,
  };
  const valueOfField = (field: string): string => {
    const labels: Readonly<Record<string, string>> = row === undefined ? {} : labelsOf(row);
    const [from, key] = field.startsWith("label.")
      ? [labels, field.slice("label.".length)]
      : field.startsWith("input.")
        ? [inputs, field.slice("input.".length)]
        : [fields, field];
    const value = Object.hasOwn(from, key) ? from[key] : undefined;
    if (value === undefined) throw invalidArgument("command", `there is no {${field}} here`);
    return value;
  };
  const filled = (template: string): string =>
    template.replaceAll(/\{([a-z][A-Za-z0-9_./-]*)\}/g, (_, field: string) => valueOfField(field));
  const [program = "", ...templates] = plugin.command;
  const argv = templates.map((template) => {
    const argument = filled(template);
    // A value that begins with a dash would be an option of the program: nobody has written that.
    if (argument.startsWith("-") && !template.startsWith("-")) {
      throw invalidArgument("command", `${template} is "${argument}" here, which the program would take for an option`);
    }
    return argument;
  });
  const own = Object.entries(fields).map(([key, value]) => [`ZOR_${key.toUpperCase()}`, value] as const);
  const asked = Object.entries(inputs).map(([key, value]) => [`ZOR_INPUT_${key.toUpperCase()}`, value] as const);
  const given = Object.entries(plugin.environment).map(([key, value]) => [key, filled(value)] as const);
  // A variable cannot have a NUL in it, nor an argument.
  const environment = Object.fromEntries(
    [...own, ...asked, ...given].map(([key, value]) => [key, value.replaceAll("\0", "")]),
  );
  return { argv: [program, ...argv.map((argument) => argument.replaceAll("\0", ""))], environment };
}
