import { status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { type AnyResource, unpack } from "../../../lib/kinds/resource.js";
import { noFacts } from "../../../lib/query/facts.js";
import { parsePath } from "../../../lib/query/path.js";
import { findQueryField, type QueryField } from "../../../lib/query/query-field.js";
import { WatchViewRequest } from "../../../proto/gen/zor/v1/view_service.js";
import { labelsOf } from "../../kit/row.js";
import { firstView } from "../first-view.js";
import { listPage } from "../kinds.js";

/** So many resources are looked at. */
const mostRows = 1000;

/** What is asked of the fleet. */
export interface ValueQuestion {
  /** Singular; empty: all. */
  readonly kinds: readonly string[];
  /** "labels": the keys of labels. */
  readonly field: string;
  /** What the values begin with. */
  readonly typed: string;
}

/** Values that a field has, of those resources that come first. An agent, which has no views, is asked for lists. */
export async function fleetValues(
  connection: Connection,
  question: ValueQuestion,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { kinds, field, typed } = question;
  const isLabels = field === "labels";
  const request = WatchViewRequest.fromPartial({
    ...{ kinds: [...kinds], limit: mostRows, query: isLabels ? "" : narrowing(field, typed) },
    ...(isLabels ? { fields: ["labels"] } : { columns: [field], fields: ["name"] }),
  });
  try {
    const { rows } = await firstView(connection, request, signal);
    const found = rows.flatMap(({ resource, values: [value] }) => {
      if (!isLabels) return value?.value?.$case === "text" ? wordsOf(kinds, field, value.value.value) : [];
      const each = resource === undefined ? undefined : unpack(resource);
      return each === undefined ? [] : keysOf(each);
    });
    return [...new Set(found)].sort();
  } catch (error) {
    if (!(error instanceof ZorError) || error.code !== status.UNIMPLEMENTED) throw error;
    return await listedValues(connection, question, signal);
  }
}

/** Only what has the letters that were typed somewhere is asked for: of many thousands the first would be others. */
function narrowing(field: string, typed: string): string {
  // Of "alpha/vm1" and "hosts/alpha/instances/vm1" both parts are there, apart.
  const part = field === "name" ? (typed.split("/")[0] ?? "") : typed;
  return part === "" ? "" : `${field} : ${JSON.stringify(part)}`;
}

/** A view has several values of one field with blanks between them. */
function wordsOf(kinds: readonly string[], field: string, text: string): readonly string[] {
  const [kind = "instance"] = kinds;
  return findField(kind, field)?.isRepeated === true ? text.split(" ") : [text];
}

function keysOf({ value }: AnyResource): readonly string[] {
  return Object.keys(labelsOf({ resource: value }));
}

async function listedValues(
  connection: Connection,
  { kinds, field }: ValueQuestion,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const kind of kinds.length === 0 ? ["instance", "lan"] : kinds) {
    const known = field === "labels" ? undefined : findField(kind, field);
    for (const each of await listPage(connection, kindNamed(kind), {}, { signal })) {
      const values = field === "labels" ? keysOf(each) : [known?.read(each.value, noFacts)].flat();
      for (const value of values) if (typeof value === "string") found.add(value);
    }
  }
  return [...found].sort();
}

function findField(kind: string, field: string): QueryField | undefined {
  try {
    return findQueryField("filter", kindNamed(kind).type, parsePath("filter", field));
  } catch {
    return undefined;
  }
}
