import { roleName } from "../../lib/auth/caller.js";
import { invalidArgument, invalidFields, ZorError } from "../../lib/errors.js";
import { newEtag } from "../../lib/kinds/change.js";
import { isId, quote } from "../../lib/names.js";
import { addressForm, isDialAddress } from "../../lib/socket-address.js";
import { parseToken } from "../../lib/tls/token.js";
import type { RecordedEvent } from "../../lib/watch/watch-log.js";
import { counted } from "../../lib/words.js";
import { EventSeverity } from "../../proto/gen/zor/v1/event.js";
import { Host } from "../../proto/gen/zor/v1/host.js";
import type { JoiningHost, JoinRequest, JoinResponse } from "../../proto/gen/zor/v1/join_service.js";
import type { Fleet } from "../fleet/fleet.js";
import { type HostRecord, hostNotFound, putHost } from "../fleet/host-record.js";
import type { AddressBook } from "../kit/address-book.js";
import type { Authority } from "../pki/authority.js";
import type { Certificates } from "../pki/certificates.js";
import { publicKeyOfCsr } from "../pki/csr.js";
import type { Change, Store } from "../store/store.js";
import { checkAddresses, checkUnderlayAddresses } from "./addresses.js";
import { foreignToken, type TokenSubject, usedToken, verifyToken } from "./tokens.js";

/** What joining works with. */
export interface JoinServiceOptions {
  readonly authority: Authority;
  readonly certificates: Certificates;
  readonly store: Store;
  readonly fleet: Fleet;
  /** Where the hub is reached. */
  readonly addresses: AddressBook;
  readonly record: (event: RecordedEvent) => void;
}

/**
 * Turns a token into a certificate. Nothing is consumed unless the certificate is on record.
 * @throws {ZorError} what is wrong with the token, the request or the host.
 */
export async function join(options: JoinServiceOptions, request: JoinRequest): Promise<JoinResponse> {
  const { authority, certificates, store } = options;
  const token = parseToken(request.token);
  if (!token.caSha256.equals(authority.fingerprint)) {
    throw foreignToken();
  }
  const publicKey = await publicKeyOfCsr("csr", request.csr);
  const { subject, consume } = await verifyToken(store, token.secret, new Date());
  const registered = subject.kind === "host" ? await planHost(options, subject.id, request.host) : undefined;
  if (subject.kind !== "host" && request.host !== undefined) {
    throw invalidArgument("host", `the token is for zor://${subject.kind}/${subject.id}, not for a host`);
  }
  const issued = await certificates
    .issue(publicKey, subject, [consume, ...(registered?.changes ?? [])])
    .catch((error: unknown) => {
      // Of two that join with the same token at once, the second finds it changed.
      if (error instanceof ZorError && error.reason === "STORE_CONFLICT") throw usedToken();
      throw error;
    });
  if (registered !== undefined) {
    certificates.revoked(registered.revoked);
    const stored = await store.get("hosts", subject.id);
    options.fleet.put({ ...registered.record, revision: stored?.revision ?? 0n });
  }
  tellJoined(options, subject, registered);
  return {
    certificate: issued.der,
    caCertificate: authority.certificateDer,
    identity: `zor://${subject.kind}/${subject.id}`,
    hubAddresses: [...options.addresses.advertised.hub],
    hubReverseAddresses: [...options.addresses.advertised.reverse],
    expireTime: issued.expireTime,
  };
}

function tellJoined(
  { record }: JoinServiceOptions,
  { kind, id, role }: TokenSubject,
  registered: PlannedHost | undefined,
): void {
  const caller = `zor://${kind}/${id}`;
  const lost = registered?.revoked.length ?? 0;
  const as = kind === "host" ? "" : ` as ${roleName(role)}`;
  const replaced = lost === 0 ? "" : `: another machine than before, whose ${counted(lost, "certificate")} ended`;
  record({
    severity: EventSeverity.EVENT_SEVERITY_INFO,
    type: "identity.joined",
    resource: kind === "host" ? `hosts/${id}` : caller,
    message: `${caller} has joined${as}${replaced}`,
    caller,
  });
}

interface PlannedHost {
  readonly record: Omit<HostRecord, "revision">;
  readonly changes: readonly Change[];
  /** Serial numbers of certificates of the machine that had this name before. */
  readonly revoked: readonly string[];
}

async function planHost(
  { fleet, certificates }: JoinServiceOptions,
  id: string,
  facts: JoiningHost | undefined,
): Promise<PlannedHost> {
  const record = fleet.find(id);
  if (record === undefined) throw hostNotFound(`hosts/${id}`);
  if (facts === undefined) throw invalidArgument("host", `the token is for hosts/${id}: join with "zor agent join"`);
  const violations = [
    ...checkAddresses("host.addresses", facts.addresses, isDialAddress, addressForm),
    ...checkUnderlayAddresses("host.underlay_addresses", facts.underlayAddresses),
    ...(isId(facts.uid) ? [] : [{ field: "host.uid", description: `${quote(facts.uid)} is not a uid` }]),
  ];
  if (violations.length > 0) throw invalidFields(violations, `hosts/${id}`);
  const { host } = record;
  const first = host.uid === "";
  const replaced = !first && host.uid !== facts.uid;
  const { serials, changes } = replaced
    ? await certificates.planRevocation(`zor://host/${id}`)
    : { serials: [], changes: [] };
  const joined = Host.fromPartial({
    ...host,
    uid: facts.uid,
    // What an admin said of a host that has not joined yet stands unless the host knows better.
    addresses: facts.addresses.length === 0 && first ? host.addresses : facts.addresses,
    underlayAddresses: facts.underlayAddresses.length === 0 ? host.underlayAddresses : facts.underlayAddresses,
    undialable: facts.undialable || (first && host.undialable),
    // Whoever joins anew says where it is.
    underlaySet: first && host.underlaySet,
    etag: newEtag(),
    updateTime: new Date(),
  });
  const planned = { id, host: joined, changedBy: `zor://host/${id}` };
  return { record: planned, changes: [putHost(planned, record.revision), ...changes], revoked: serials };
}
