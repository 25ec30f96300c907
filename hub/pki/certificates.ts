import type { PublicKey } from "@peculiar/x509";
import { maxRevokedSerials } from "../../lib/grpc/revocation.js";
import type { Change, Store } from "../store/store.js";
import type { Authority, IssuedCertificate } from "./authority.js";
import { type Lifetimes, profileOf, type Subject } from "./profile.js";

/** What the hub remembers of a certificate it signed. */
interface CertificateRecord {
  readonly identity: string;
  readonly expireTime: string;
}

/**
 * Signs leaf certificates and remembers which are revoked. Revocation is by certificate: whoever joins again with a new token
 * has a good one, and what was stolen stays refused.
 */
export class Certificates {
  readonly #authority: Authority;
  readonly #store: Store;
  readonly #lifetimes: Lifetimes;
  readonly #revoked = new Set<string>();
  #revokedSerials: readonly string[] = [];
  readonly #listeners = new Set<() => void>();

  private constructor(authority: Authority, store: Store, lifetimes: Lifetimes) {
    this.#authority = authority;
    this.#store = store;
    this.#lifetimes = lifetimes;
  }

  /** Loads what is revoked and forgets certificates that have expired. */
  static async open(authority: Authority, store: Store, lifetimes: Lifetimes, now: Date): Promise<Certificates> {
    const certificates = new Certificates(authority, store, lifetimes);
    const stale: Change[] = [];
    for (const { key, value } of await store.list("certificates")) {
      if (Date.parse(decode(value).expireTime) < now.getTime())
        stale.push({ type: "delete", collection: "certificates", key });
    }
    for (const { key, value } of await store.list("revocations")) {
      if (Date.parse(decode(value).expireTime) < now.getTime())
        stale.push({ type: "delete", collection: "revocations", key });
      else certificates.#revoked.add(key);
    }
    if (stale.length > 0) await store.commit(stale);
    certificates.#list();
    return certificates;
  }

  /**
   * Signs a certificate. It is on record, together with `changes`, before this resolves.
   * @throws {ZorError} what {@link Store.commit} throws; then there is no certificate.
   */
  async issue(publicKey: PublicKey, subject: Subject, changes: readonly Change[] = []): Promise<IssuedCertificate> {
    const profile = profileOf(subject, this.#lifetimes);
    const issued = await this.#authority.issue(publicKey, subject.id, profile);
    const record: CertificateRecord = {
      identity: `zor://${subject.kind}/${subject.id}`,
      expireTime: issued.expireTime.toISOString(),
    };
    const value = Buffer.from(JSON.stringify(record));
    await this.#store.commit([{ type: "put", collection: "certificates", key: issued.serial, value }, ...changes]);
    return issued;
  }

  /** The changes that revoke every certificate of an identity; commit them, then call {@link revoked} with the serials. */
  async planRevocation(
    identity: string,
  ): Promise<{ readonly serials: readonly string[]; readonly changes: readonly Change[] }> {
    const records = await this.#store.list("certificates");
    const mine = records.filter(({ value }) => decode(value).identity === identity);
    return {
      serials: mine.map(({ key }) => key),
      changes: mine.flatMap(({ key, value }): Change[] => [
        { type: "put", collection: "revocations", key, value },
        { type: "delete", collection: "certificates", key },
      ]),
    };
  }

  /** Puts a committed revocation into force and ends the streams of those it concerns. */
  revoked(serials: readonly string[]): void {
    if (serials.length === 0) return;
    for (const serial of serials) this.#revoked.add(serial);
    this.#list();
    for (const listener of [...this.#listeners]) listener();
  }

  isRevoked(serial: string): boolean {
    return this.#revoked.has(serial);
  }

  /** What agents are told, at most {@link maxRevokedSerials}; another array after each revocation. */
  get revokedSerials(): readonly string[] {
    return this.#revokedSerials;
  }

  /** Calls back after each revocation until the returned function is called. */
  onRevocation(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #list(): void {
    this.#revokedSerials = [...this.#revoked].slice(-maxRevokedSerials);
  }
}

function decode(value: Uint8Array): CertificateRecord {
  // Only this module writes these records.
  return JSON.parse(Buffer.from(value).toString("utf8")) as CertificateRecord;
}
