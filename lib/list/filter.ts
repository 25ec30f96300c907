import type { Figure } from "../../proto/gen/zor/v1/figures.js";
import { compileQuery } from "../query/compile.js";
import { type Facts, noFacts } from "../query/facts.js";
import { parseQuery } from "../query/parse.js";
import type { Query } from "../query/tree.js";

/** Decides which resources of one type a filter lets through. */
export interface ResourceFilter {
  /** Top-level fields, by ts-proto's names, that it looks at; whoever keeps resources encoded needs to decode no others. */
  readonly fields: ReadonlySet<string>;
  /** What it asks for that is measured. */
  readonly figures: ReadonlySet<Figure>;
  /** As it was written, with what it may say of order and number. */
  readonly query: Query;
  /** @param resource message in the form of ts-proto. */
  matches(resource: unknown): boolean;
}

/**
 * Reads a filter for resources of one type, in the language of queries (docs/queries.md), which filters in the manner of AIP-160 belong to. Fields
 * are short names or dotted paths in snake_case or camelCase, into lists (any element counts) and maps (`labels.site`) as well; each is compared as
 * its type wants:
 *
 * | field | values | operators |
 * |---|---|---|
 * | text | any | = != < <= > >= in, : for "contains" and ~ for a regular expression, in whatever case |
 * | number | 5, 1.5, with a unit where the field counts something: 4GiB, 80% | = != < <= > >= in |
 * | time | "2026-01-31T12:00:00Z", 2026-01-31 | the same; an unset one is none of them but != |
 * | duration | 5ms, 1.5s | the same |
 * | enum | RUNNING, in whatever case, with prefix or without | = != in ~ |
 * | bool | true, false | = != |
 * | map | a key | : for "has the key" |
 * | all | * | : for "is set" |
 *
 * `!=` holds when no value is equal. A bare value matches resources whose name contains it. An empty filter matches everything.
 * @param type full name of the message, "zor.v1.Instance". @param facts what fields ask for that do not stand in the resource.
 * @param isGuarded whether others than its author wait for it: `matches` throws RESOURCE_EXHAUSTED for a pattern that takes too long.
 * @throws {ZorError} INVALID_ARGUMENT that says where it went wrong, and which fields and values there are.
 */
export function parseFilter(filter: string, type: string, facts: Facts = noFacts, isGuarded = false): ResourceFilter {
  const fields = new Set<string>();
  const query = parseQuery(filter);
  const figures = new Set<Figure>();
  const matches = compileQuery<unknown>(query.tree, {
    ...{ where: "filter", type, words: "name", isGuarded },
    bind: (field) => {
      for (const top of field.tops) fields.add(top);
      if (field.figure !== undefined) figures.add(field.figure);
      return (resource) => field.read(resource, facts);
    },
  });
  return { fields, figures, query, matches };
}
