import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { Authority } from "../../hub/pki/authority.js";
import { ensureLocalIdentity } from "../../hub/pki/local-identity.js";
import { profileOf, type Subject } from "../../hub/pki/profile.js";
import type { Identity } from "../../lib/tls/identity.js";

/** A certificate authority for one test, with identities in directories of their own. */
export class TestIdentities {
  readonly #directory: string;
  readonly #authority: Authority;

  private constructor(directory: string, authority: Authority) {
    this.#directory = directory;
    this.#authority = authority;
  }

  /** @param directory a scratch directory of the test. */
  static async create(directory: string): Promise<TestIdentities> {
    return new TestIdentities(directory, await Authority.open(await mkdtemp(join(directory, "ca-"))));
  }

  /** A new identity and the directory it is stored in. */
  async issue(subject: Subject): Promise<{ readonly identity: Identity; readonly directory: string }> {
    const authority = this.#authority;
    const directory = await mkdtemp(join(this.#directory, "id-"));
    const profile = profileOf(subject, { hostDays: 1, personDays: 1 }, ["127.0.0.1"]);
    const identity = await ensureLocalIdentity({
      authority,
      directory,
      profile,
      issue: (key) => authority.issue(key, "test", profile),
      now: new Date(),
    });
    return { identity, directory };
  }
}
