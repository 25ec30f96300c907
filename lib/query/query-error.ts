import { status } from "@grpc/grpc-js";
import { ZorError } from "../errors.js";
import type { Place } from "./tree.js";

/** What is wrong with a query, and where. Its metadata tell `column`, from 1, and `length`, so that clients can point at it. */
export class QueryError extends ZorError {
  readonly place: Place;

  /** @param where field of the request that holds the query. */
  constructor(where: string, description: string, place: Place) {
    super({
      reason: "INVALID_FIELD",
      code: status.INVALID_ARGUMENT,
      message: `${where}: ${description}`,
      violations: [{ field: where, description }],
      metadata: { column: String(place.from + 1), length: String(Math.max(1, place.to - place.from)) },
    });
    this.place = place;
  }
}

/** Does something about a part of a query: what it throws points there. */
export function pointing<T>(where: string, place: Place, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const [violation] = error instanceof ZorError && !(error instanceof QueryError) ? error.violations : [];
    throw violation === undefined ? error : new QueryError(where, violation.description, place);
  }
}

/** A query with a line below it that points at what is wrong; undefined: the error does not say where that is. */
export function pointAt(query: string, error: unknown): readonly [string, string] | undefined {
  if (!(error instanceof ZorError)) return undefined;
  const { column, length } = error.metadata;
  const [from, wanted] = [Number(column) - 1, Number(length)];
  if (!Number.isInteger(from) || !Number.isInteger(wanted) || from < 0 || from > query.length) return undefined;
  const marks = Math.max(1, Math.min(wanted, query.length - from));
  return [query, `${" ".repeat(from)}${"^".repeat(marks)}`];
}
