import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../lib/errors.js";
import type { Identity } from "../lib/tls/identity.js";
import { Role } from "../proto/gen/zor/v1/token_service.js";
import type { HubConfig } from "./config.js";
import { planTokenCleanup } from "./join/tokens.js";
import { planRequestCleanup } from "./kit/requests.js";
import { Authority } from "./pki/authority.js";
import { Certificates } from "./pki/certificates.js";
import { ensureLocalIdentity } from "./pki/local-identity.js";
import { profileOf, type Subject } from "./pki/profile.js";
import { ObservedStore } from "./store/observed-store.js";
import { SqliteStore } from "./store/sqlite-store.js";

/** A hub's state directory, opened: no other hub can open it meanwhile. */
export interface HubState {
  readonly directory: string;
  readonly store: ObservedStore;
  readonly authority: Authority;
  readonly certificates: Certificates;
  /** Makes or renews the hub's own certificate so that it names these IPs. */
  readonly ensureHubIdentity: (ips: readonly string[]) => Promise<Identity>;
  /** Directory of the local admin's identity. */
  readonly adminDirectory: string;
  close(): Promise<void>;
}

const admin: Subject = { kind: "user", id: "admin", role: Role.ROLE_ADMIN };

/**
 * Opens the state directory (mode 0700): database, CA and the local admin's identity are made when they are not there.
 * @throws {ZorError} reasons STORE_LOCKED, STORE_CORRUPT, CA_DAMAGED, STATE_DIRECTORY.
 */
export async function openState(config: HubConfig, now: Date): Promise<HubState> {
  const directory = config.state;
  await makeDirectories(directory);
  // The lock on the database guards the rest of the directory too: it comes first.
  const store = new ObservedStore(SqliteStore.open(join(directory, "hub.db")));
  try {
    const lifetimes = { hostDays: config.hostCertificateDays, personDays: config.personCertificateDays };
    const authority = await Authority.open(join(directory, "ca"));
    const certificates = await Certificates.open(authority, store, lifetimes, now);
    const adminDirectory = join(directory, "admin");
    await ensureLocalIdentity({
      authority,
      directory: adminDirectory,
      profile: profileOf(admin, lifetimes),
      issue: (publicKey) => certificates.issue(publicKey, admin),
      now,
    });
    const cleanup = [...(await planTokenCleanup(store, now)), ...(await planRequestCleanup(store, now))];
    if (cleanup.length > 0) await store.commit(cleanup);
    return {
      directory,
      store,
      authority,
      certificates,
      adminDirectory,
      ensureHubIdentity: (ips) => {
        const hub: Subject = { kind: "hub", id: config.name, role: Role.ROLE_UNSPECIFIED };
        const profile = profileOf(hub, lifetimes, ips);
        return ensureLocalIdentity({
          authority,
          directory: join(directory, "identity"),
          profile,
          issue: (publicKey) => authority.issue(publicKey, config.name, profile),
          now: new Date(),
        });
      },
      close: () => store.close(),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function makeDirectories(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
    await mkdir(join(directory, "ca"), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new ZorError({
      reason: "STATE_DIRECTORY",
      code: status.FAILED_PRECONDITION,
      message: `cannot use the state directory ${directory}: ${messageOf(error)}; give another with --state, or run as root`,
      cause: error,
    });
  }
}
