import type { Kind } from "../../lib/kinds/kinds.js";
import { measuredKinds } from "../../lib/figures/subject-kind.js";
import type { Figure } from "../../proto/gen/zor/v1/figures.js";
import { WatchFiguresRequest } from "../../proto/gen/zor/v1/figures_service.js";
import { HostServiceService, ListHostsRequest } from "../../proto/gen/zor/v1/host_service.js";
import { FollowedFigures } from "../client/figures.js";
import type { Used } from "../kit/usage/usage.js";
import type { Session } from "./session.js";

/** More are not asked for by name: then all are. */
const mostNamed = 256;
/** Hosts that have told nothing after this time are not waited for. */
const patienceMs = 3000;

/**
 * What resources of a kind use now, by name, as soon as every host that is asked has told. Of a host that does not answer in time nothing is known.
 * @throws {ZorError} when figures cannot be watched.
 */
export async function readUsage(
  session: Session,
  kind: Kind,
  names: readonly string[],
  figures: readonly Figure[],
): Promise<ReadonlyMap<string, Used>> {
  const known = new Map<string, Used>();
  if (names.length === 0 || figures.length === 0 || !measuredKinds.some((each) => each === kind.singular)) return known;
  const connection = await session.connect();
  const { hosts } = await connection.unary(
    HostServiceService.listHosts,
    ListHostsRequest.create(),
    session.readOptions(),
  );
  // Ends of links are anywhere.
  const isAnywhere = kind.singular === "link";
  const concerned = new Set(names.map((name) => name.split("/", 2).join("/")));
  const isConcerned = (host: string): boolean => isAnywhere || concerned.has(host);
  const left = new Set(hosts.flatMap(({ uid, name }) => (uid !== "" && isConcerned(name) ? [name] : [])));
  if (left.size === 0) return known;
  const isFew = names.length <= mostNamed;
  const request = WatchFiguresRequest.fromPartial({
    ...{ names: isFew ? [...names] : [], kinds: isFew ? [] : [kind.singular], figures: [...figures] },
  });
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), patienceMs);
  const followed = new FollowedFigures();
  try {
    await followed.follow(connection, request, {
      signal: AbortSignal.any([session.io.signal, ending.signal]),
      onNews: ({ host, silent, timeMillis }) => {
        if (silent !== "" || timeMillis > 0n) left.delete(host);
        if (left.size === 0) ending.abort();
      },
    });
  } finally {
    clearTimeout(timer);
  }
  session.io.signal.throwIfAborted();
  for (const { name, values } of followed.decoder.all()) {
    const before = known.get(name)?.values;
    // Of ends the most, as in queries.
    const most = [...values].map(([figure, value]) => [figure, Math.max(value, before?.get(figure) ?? value)] as const);
    known.set(name, { values: new Map(most) });
  }
  return known;
}
