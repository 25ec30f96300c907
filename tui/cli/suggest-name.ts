import { status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../../lib/errors.js";
import { livesOnHosts } from "../../lib/kinds/kinds.js";
import { nearest } from "../../lib/nearest.js";
import { hostOf, idOf, shortName } from "../kit/resource-name.js";
import { listKind } from "./kinds.js";
import { kindOfFullName } from "./resolve.js";
import type { Session } from "./session.js";

/** Longest time in which a name that may have been meant is looked for: the error is known already. */
const patienceMs = 800;

/** An error about a resource that is not there, with the name that is most like it; any other as it is. */
export async function withNearestName(session: Session | undefined, error: unknown): Promise<unknown> {
  if (session === undefined || !(error instanceof ZorError) || error.code !== status.NOT_FOUND) return error;
  const { resource = "", message } = error;
  const kind = kindOfFullName(resource);
  if (session.hop === undefined || kind === undefined || /did you mean/.test(message)) return error;
  try {
    const connection = await session.connect();
    const host = livesOnHosts(kind) ? hostOf(resource) : undefined;
    const options = { timeoutMs: patienceMs, signal: session.io.signal };
    const { resources } = await listKind(connection, kind, host === undefined ? {} : { host }, options);
    const names = resources.map(({ value }) => value.name);
    const near = nearest(idOf(resource), names.map(idOf));
    const found = names.find((name) => idOf(name) === near);
    if (found === undefined || found === resource) return error;
    const { code, reason, metadata } = error;
    const guess = `${messageOf(error)}; did you mean ${shortName(found)}?`;
    return new ZorError({ code, reason, metadata, resource, message: guess, cause: error });
  } catch {
    // It is worth a guess, not another error.
    return error;
  }
}
