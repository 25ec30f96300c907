import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { Authority } from "../../hub/pki/authority.js";
import { ensureLocalIdentity } from "../../hub/pki/local-identity.js";
import { type Profile, profileOf, type Subject } from "../../hub/pki/profile.js";
import type { Identity } from "../../lib/tls/identity.js";
import { Role } from "../../proto/gen/zor/v1/token_service.js";

const dayMs = 24 * 60 * 60 * 1000;

/** A certificate authority of a test, with the certificates a hub would issue. */
export class TestPki {
  readonly #authority: Authority;
  readonly #directory: string;

  private constructor(authority: Authority, directory: string) {
    this.#authority = authority;
    this.#directory = directory;
  }

  /** Makes an authority below a directory of the test. */
  static async create(directory: string): Promise<TestPki> {
    await mkdir(directory, { recursive: true });
    return new TestPki(await Authority.open(directory), directory);
  }

  get caPem(): string {
    return this.#authority.certificatePem;
  }

  /** Identity of a host's agent. */
  host(id: string, directory?: string): Promise<Identity> {
    return this.issue({ kind: "host", id, role: Role.ROLE_UNSPECIFIED }, { directory });
  }

  /** Identity of a hub. */
  hub(id = "test"): Promise<Identity> {
    return this.issue({ kind: "hub", id, role: Role.ROLE_ADMIN });
  }

  /** Identity of a person. */
  user(id: string, role: Role): Promise<Identity> {
    return this.issue({ kind: "user", id, role });
  }

  /** Identity of any subject. @param options.directory where to keep it; default: a new one. @param options.lifetimeMs default: one day. */
  async issue(
    subject: Subject,
    options: { readonly directory?: string | undefined; readonly lifetimeMs?: number } = {},
  ): Promise<Identity> {
    const base = profileOf(subject, { hostDays: 1, personDays: 1 }, ["127.0.0.1"]);
    const profile: Profile = { ...base, lifetimeMs: options.lifetimeMs ?? dayMs };
    return ensureLocalIdentity({
      authority: this.#authority,
      directory: options.directory ?? (await mkdtemp(join(this.#directory, "id-"))),
      profile,
      issue: (key) => this.#authority.issue(key, subject.id, profile),
      now: new Date(),
    });
  }
}
