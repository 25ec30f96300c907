import { Connection } from "../../../lib/grpc/connection.js";
import { invalidArgument, messageOf, unavailable } from "../../../lib/errors.js";
import { isId } from "../../../lib/names.js";
import { Pace } from "../../../lib/pace.js";
import type { Identity } from "../../../lib/tls/identity.js";
import { hostServerName } from "../../../lib/tls/join.js";
import {
  type ChunkRange,
  type FetchFrom,
  ImageTransferServiceService as methods,
} from "../../../proto/gen/zor/agent/v1/image_transfer_service.js";
import { ArchiveError } from "../../images/import/zip.js";
import type { ChunkReceiver } from "./chunk-receiver.js";

/** As whom other hosts are called. */
export interface PeerIdentity {
  readonly identity: () => Identity;
  readonly isRevoked: (serial: string) => boolean;
}

/** How chunks are read from another host. */
export interface FetchOptions {
  readonly from: FetchFrom;
  readonly peer: PeerIdentity;
  readonly receiver: ChunkReceiver;
  readonly ranges: readonly ChunkRange[];
  readonly signal: AbortSignal;
}

export const ticketBytes = 32;
const maxAddresses = 16;
const connectMs = 3000;
/** The hub is told how far it has come each time so much has. */
const tellBytes = 4 * 1024 * 1024;

/**
 * Reads chunks from another host, whose certificate must be of the fleet's CA and name it; each is compared with its digest. Yields the bytes
 * that have come. @throws when it cannot be reached or is cut off; what came stays.
 */
export async function* fetchChunks({ from, peer, receiver, ranges, signal }: FetchOptions): AsyncIterable<number> {
  checkFrom(from);
  const ending = new AbortController();
  const whole = AbortSignal.any([signal, ending.signal]);
  const connection = await connect(from, peer);
  try {
    const pace = new Pace(Number(from.bytesPerSecond));
    const left = new Set(ranges.flatMap(({ first, count }) => Array.from({ length: count }, (_, at) => first + at)));
    const request = { ticket: from.ticket, ranges: [...ranges] };
    let [bytes, told] = [0, 0];
    for await (const { index, data } of connection.stream(methods.fetchChunks, request, { signal: whole })) {
      if (!left.delete(index)) throw new ArchiveError(`was damaged on the way: chunk ${index} was not asked for`);
      await receiver.take(index, data);
      bytes += data.length;
      if (bytes - told >= tellBytes || left.size === 0) {
        told = bytes;
        yield bytes;
      }
      await pace.after(data.length, whole);
    }
  } finally {
    ending.abort();
    connection.close();
  }
}

/** The first address that answers as that host; all are tried at once. @throws {ZorError} UNAVAILABLE */
async function connect({ peer: host, addresses }: FetchFrom, peer: PeerIdentity): Promise<Connection> {
  const identity = peer.identity();
  const tried = addresses.map(
    (address) =>
      new Connection({
        ...{ address, identity, isRevoked: peer.isRevoked },
        serverName: hostServerName(host),
        serverUri: `zor://host/${host}`,
      }),
  );
  let chosen: Connection | undefined;
  try {
    chosen = await Promise.any(tried.map((each) => each.ready(connectMs).then(() => each)));
    return chosen;
  } catch (error) {
    const [first = error] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
    throw unavailable(
      "PEER_UNREACHABLE",
      `hosts/${host}`,
      `hosts/${host} cannot be reached from here: ${messageOf(first)}`,
    );
  } finally {
    for (const each of tried) if (each !== chosen) each.close();
  }
}

function checkFrom({ peer, addresses, ticket, bytesPerSecond }: FetchFrom): void {
  if (!isId(peer)) throw invalidArgument("fetch.peer", "is not the id of a host");
  if (addresses.length === 0 || addresses.length > maxAddresses)
    throw invalidArgument("fetch.addresses", `are not 1 to ${maxAddresses}`);
  // Never a socket of this host.
  if (!addresses.every((address) => address.length < 300 && /^[\w.:[\]%-]+:\d{1,5}$/.test(address)))
    throw invalidArgument("fetch.addresses", 'have one that is not "address:port"');
  if (ticket.length !== ticketBytes) throw invalidArgument("fetch.ticket", `has not ${ticketBytes} bytes`);
  if (bytesPerSecond < 0n) throw invalidArgument("fetch.bytes_per_second", "is negative");
}
