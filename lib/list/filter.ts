import { comparison, contains } from "./comparison.js";
import { findField } from "./field.js";
import { type FilterTree, parseFilterSyntax } from "./filter-syntax.js";

/** Decides which resources of one type a filter lets through. */
export interface ResourceFilter {
  /** Top-level fields, by ts-proto's names, that it looks at; whoever keeps resources encoded needs to decode no others. */
  readonly fields: ReadonlySet<string>;
  /** @param resource message in the form of ts-proto. */
  matches(resource: unknown): boolean;
}

type Matches = ResourceFilter["matches"];

/**
 * Reads a filter in the manner of AIP-160 for resources of one type. Fields are dotted paths in snake_case or camelCase, into lists
 * (any element counts) and maps (`labels.site`) as well; each is compared as its type wants:
 *
 * | field | values | operators |
 * |---|---|---|
 * | text | any | = != < <= > >=, and : for "contains", in whatever case |
 * | number | 5, 1.5 | = != < <= > >= |
 * | time | "2026-01-31T12:00:00Z", 2026-01-31 | the same; an unset one is none of them but != |
 * | duration | 5ms, 1.5s | the same |
 * | enum | RUNNING, in whatever case, with prefix or without | = != |
 * | bool | true, false | = != |
 * | map | a key | : for "has the key" |
 * | all | * | : for "is set" |
 *
 * `!=` holds when no value is equal. A bare value matches resources whose name contains it. An empty filter matches everything.
 * All look-ups happen here, once: matching touches no descriptor.
 * @param type full name of the message, "zor.v1.Instance".
 * @throws {ZorError} INVALID_ARGUMENT that says where it went wrong, and which fields and values there are.
 */
export function parseFilter(filter: string, type: string): ResourceFilter {
  const fields = new Set<string>();
  return { fields, matches: compile(parseFilterSyntax(filter), type, fields) };
}

function compile(tree: FilterTree, type: string, fields: Set<string>): Matches {
  switch (tree.type) {
    case "all":
    case "any": {
      const terms = tree.terms.map((term) => compile(term, type, fields));
      return tree.type === "all"
        ? (resource) => terms.every((term) => term(resource))
        : (resource) => terms.some((term) => term(resource));
    }
    case "not": {
      const inner = compile(tree.term, type, fields);
      return (resource) => !inner(resource);
    }
    case "bare": {
      const name = findField("filter", type, ["name"]);
      fields.add(name.top);
      const test = contains(tree.value);
      return (resource) => name.some(resource, test);
    }
    case "comparison": {
      const field = findField("filter", type, tree.path);
      fields.add(field.top);
      const test = comparison(field, tree.operator, tree.value);
      if (tree.operator === "!=") return (resource) => !field.some(resource, test);
      return (resource) => field.some(resource, test);
    }
  }
}
