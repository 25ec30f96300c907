// Makes the table of kinds and methods from the options in the proto files (proto/zor/v1/options.proto).
import { createFileRegistry, fromBinary, getExtension, hasExtension } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const scopes = { 1: "host", 2: "hub", 3: "both" };
const accesses = { 1: "open", 2: "identified", 3: "viewer", 4: "operator", 5: "admin", 6: "hub" };
const verbs = { 1: "create", 2: "get", 3: "list", 4: "update", 5: "delete" };

/**
 * What the options of a descriptor set say. `wants` tells of which files the kinds and services are asked for.
 * Throws for options that contradict the messages.
 */
export function readKinds(setBytes, wants) {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, setBytes));
  const extension = (name) => {
    const found = registry.getExtension(`zor.v1.${name}`);
    if (found === undefined) throw new Error(`the option zor.v1.${name} is missing`);
    return found;
  };
  const [kindOption, ofKindOption, ruleOption] = [extension("kind"), extension("of_kind"), extension("rule")];
  const optionOf = (desc, option) =>
    desc.proto.options !== undefined && hasExtension(desc.proto.options, option)
      ? getExtension(desc.proto.options, option)
      : undefined;

  const kinds = [];
  const byMessage = new Map();
  for (const desc of registry) {
    if (desc.kind !== "message") continue;
    const options = optionOf(desc, kindOption);
    if (options === undefined) continue;
    const scope = scopes[options.scope];
    if (scope === undefined || options.singular === "" || options.plural === "")
      throw new Error(`${desc.typeName}: its kind needs singular, plural and scope`);
    if (desc.fields[0]?.name !== "name") throw new Error(`${desc.typeName}: the first field of a kind is its name`);
    const kind = {
      singular: options.singular,
      plural: options.plural,
      aliases: options.aliases,
      scope,
      type: desc.typeName,
      local: desc.name,
      file: desc.file.name,
    };
    byMessage.set(desc.typeName, kind);
    if (wants(desc.file.name)) kinds.push(kind);
  }
  const services = [];
  for (const desc of registry) {
    if (desc.kind !== "service" || !wants(desc.file.name)) continue;
    const singular = optionOf(desc, ofKindOption) ?? "";
    const kind = [...byMessage.values()].find((each) => each.singular === singular);
    if (singular !== "" && kind === undefined) throw new Error(`${desc.typeName}: there is no kind "${singular}"`);
    const methods = desc.methods.map((method) => methodOf(desc, method, kind, optionOf(method, ruleOption)));
    services.push({ name: desc.typeName, local: desc.name, file: desc.file.name, kind: singular, methods });
  }
  // Hosts, what lives on them, what lives on the hub, records: the order in which people are told of kinds.
  const rank = ({ singular, scope }) => (singular === "host" ? 0 : { host: 1, hub: 2, both: 3 }[scope]);
  kinds.sort((left, right) => rank(left) - rank(right) || (left.file < right.file ? -1 : 1));
  services.sort((left, right) => (left.name < right.name ? -1 : 1));
  return { kinds, services };
}

function methodOf(service, method, kind, rule) {
  const path = `/${service.typeName}/${method.name}`;
  const access = accesses[rule?.access];
  if (access === undefined) throw new Error(`${path}: say who may call it: option (rule).access`);
  const verb = verbs[rule.verb] ?? "custom";
  const { input, output } = method;
  const made = { path, access, verb, route: "", ...(rule.reads ? { reads: true } : {}) };
  if (kind === undefined) {
    if (verb !== "custom") throw new Error(`${path}: it has a standard verb, but its service is of no kind`);
    return made;
  }
  const field = (message, test, what) => {
    const found = message.fields.find(test);
    if (found === undefined) throw new Error(`${path}: ${message.typeName} needs ${what}`);
    return found;
  };
  const isKind = (each) => each.fieldKind === "message" && each.message.typeName === kind.type;
  const isKinds = (each) =>
    each.fieldKind === "list" && each.listKind === "message" && each.message.typeName === kind.type;
  const named = (name) => (each) => each.name === name;
  const operation = (each) => each.fieldKind === "message" && each.message.typeName === "zor.v1.Operation";
  switch (verb) {
    case "create":
      if (kind.scope !== "hub") field(input, named("parent"), "parent");
      made.id = field(input, named(`${kind.singular}_id`), `${kind.singular}_id`).localName;
      made.request = field(input, isKind, `a ${kind.type}`).localName;
      made.response = field(
        output,
        (each) => isKind(each) || operation(each),
        "the resource or an operation",
      ).localName;
      made.route = kind.scope === "hub" ? "" : "parent";
      break;
    case "get":
      made.response = field(output, isKind, `a ${kind.type}`).localName;
      made.route = field(input, named("name"), "name").name;
      break;
    case "list":
      for (const name of ["page_size", "page_token", "filter", "order_by"]) field(input, named(name), name);
      if (kind.scope !== "hub") field(input, named("parent"), "parent");
      made.response = field(output, isKinds, `repeated ${kind.type}`).localName;
      made.route = kind.scope === "hub" ? "" : "parent";
      break;
    case "update": {
      const resource = field(input, isKind, `a ${kind.type}`);
      field(input, named("update_mask"), "update_mask");
      made.request = resource.localName;
      made.response = field(
        output,
        (each) => isKind(each) || operation(each),
        "the resource or an operation",
      ).localName;
      made.route = `${resource.name}.name`;
      break;
    }
    case "delete":
      made.route = field(input, named("name"), "name").name;
      break;
    default:
      made.route = input.fields.some(named("name")) ? "name" : "";
  }
  if (verb !== "get" && verb !== "list" && verb !== "custom") {
    for (const name of ["request_id", "validate_only"]) field(input, named(name), name);
  }
  if (rule.route !== "") made.route = rule.route;
  return made;
}

const types = `
/** A kind of resource. */
export interface Kind {
  /** Its word: "instance". */
  readonly singular: string;
  /** Collection segment of names: "instances". */
  readonly plural: string;
  /** Other words for it on command lines. */
  readonly aliases: readonly string[];
  /** Where resources of it live: "hosts/{host}/{plural}/{id}", "{plural}/{id}", or both. */
  readonly scope: "host" | "hub" | "both";
  /** Full name of its message. */
  readonly type: string;
}

/** What the options say of a method. Names of fields are those of ts-proto's objects. */
export interface MethodRule {
  /** Singular of the kind that its service is about; "": of none. */
  readonly kind: string;
  /** Who may call it, at least: everybody, whoever has a certificate, a role, or a hub. */
  readonly access: "open" | "identified" | "viewer" | "operator" | "admin" | "hub";
  readonly verb: "create" | "get" | "list" | "update" | "delete" | "custom";
  /** Path of the request's field that names the resource, or its parent: "parent", "lan.name", "open.name"; "": none does. */
  readonly route: string;
  /** It changes nothing, although viewers may not call it. */
  readonly reads?: boolean;
  /** Field of the request with the new resource's id. */
  readonly id?: string;
  /** Field of the request with the resource. */
  readonly request?: string;
  /** Field of the response with the resource, the resources, or the operation. */
  readonly response?: string;
}
`;

/**
 * Text of a module with the light part of the table: no codec, so that it loads in no time.
 * @param typesFrom path of the module with the types, lib/kinds/kinds.ts, as it is imported from where the text is put.
 */
export function formatKinds({ kinds, services }, typesFrom) {
  const lines = kinds.map(
    ({ singular, plural, aliases, scope, type }) => `  ${JSON.stringify({ singular, plural, aliases, scope, type })},`,
  );
  const methods = services.flatMap((service) =>
    service.methods.map(
      ({ path, ...rule }) => `  ${JSON.stringify(path)}: ${JSON.stringify({ kind: service.kind, ...rule })},`,
    ),
  );
  return `// Generated by deploy/generate.mjs from the options in the proto files; do not edit.

${typesFrom === undefined ? types : `import type { Kind, MethodRule } from "${typesFrom}";\n`}
/** Kinds of resources. */
export const kindTable: readonly Kind[] = [
${lines.join("\n")}
];

/** Rules of methods, by path. */
export const methodTable: Readonly<Record<string, MethodRule>> = {
${methods.join("\n")}
};
`;
}

/**
 * Text of a module with the heavy part: codecs of the kinds and definitions of their services.
 * @param importOf path of the generated module of a proto file, from where the text is put.
 */
export function formatCodecs({ kinds, services }, importOf) {
  const imports = new Map();
  const use = (file, local) => imports.set(importOf(file), [...(imports.get(importOf(file)) ?? []), local]);
  for (const { file, local } of kinds) use(file, local);
  for (const { file, local } of services) use(file, `${local}Service`);
  const importLines = [...imports].map(
    ([from, names]) => `import { ${[...new Set(names)].sort().join(", ")} } from "${from}";`,
  );
  return `// Generated by deploy/generate.mjs from the options in the proto files; do not edit.
${importLines.sort().join("\n")}

/** Message types of the kinds, by singular. */
export interface ResourceTypes {
${kinds.map(({ singular, local }) => `  readonly ${singular}: ${local};`).join("\n")}
}

/** Codecs of the kinds, by singular. */
export const codecTable = {
${kinds.map(({ singular, local }) => `  ${singular}: ${local},`).join("\n")}
} as const;

/** Definitions of services, by full name. */
export const serviceTable = {
${services.map(({ name, local }) => `  ${JSON.stringify(name)}: ${local}Service,`).join("\n")}
} as const;
`;
}
