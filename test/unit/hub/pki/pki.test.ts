import { X509Certificate } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Authority } from "../../../../hub/pki/authority.js";
import { Certificates } from "../../../../hub/pki/certificates.js";
import { publicKeyOfCsr } from "../../../../hub/pki/csr.js";
import { ensureLocalIdentity } from "../../../../hub/pki/local-identity.js";
import { profileOf, type Subject } from "../../../../hub/pki/profile.js";
import { SqliteStore } from "../../../../hub/store/sqlite-store.js";
import { createCsr } from "../../../../lib/tls/csr.js";
import { createKeyPem } from "../../../../lib/tls/identity.js";
import { Role } from "../../../../proto/gen/zor/v1/token_service.js";

const lifetimes = { hostDays: 30, personDays: 7 };
const dayMs = 24 * 3600 * 1000;
const subjects = {
  host: { kind: "host", id: "alpha", role: Role.ROLE_UNSPECIFIED },
  user: { kind: "user", id: "ana", role: Role.ROLE_OPERATOR },
  service: { kind: "service", id: "ci", role: Role.ROLE_VIEWER },
  hub: { kind: "hub", id: "main", role: Role.ROLE_UNSPECIFIED },
} as const satisfies Record<string, Subject>;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-pki-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const publicKey = async () => publicKeyOfCsr("csr", await createCsr(createKeyPem()));
const issue = async (authority: Authority, subject: Subject): Promise<X509Certificate> => {
  const issued = await authority.issue(await publicKey(), subject.id, profileOf(subject, lifetimes, ["10.0.0.1"]));
  return new X509Certificate(issued.der);
};

describe("the authority", () => {
  test("is made once, readable by its owner only, and is the same when it is opened again", async () => {
    const first = await Authority.open(directory);
    for (const file of ["key.pem", "cert.pem"]) {
      expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600);
    }
    const again = await Authority.open(directory);
    expect(again.fingerprint).toEqual(first.fingerprint);
    expect((await issue(again, subjects.user)).verify(new X509Certificate(first.certificatePem).publicKey)).toBe(true);
  });

  test("is made anew when it was not finished, and refused when it is damaged", async () => {
    await writeFile(join(directory, "key.pem"), "half");
    await Authority.open(directory);
    await writeFile(join(directory, "key.pem"), "damaged");
    await expect(Authority.open(directory)).rejects.toMatchObject({ reason: "CA_DAMAGED" });
  });

  test.each<[keyof typeof subjects, string, string[], number]>([
    ["host", "URI:zor://host/alpha, DNS:alpha.host.zor", ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"], 30],
    ["user", "URI:zor://user/ana, URI:zor://role/operator", ["1.3.6.1.5.5.7.3.2"], 7],
    ["service", "URI:zor://service/ci, URI:zor://role/viewer", ["1.3.6.1.5.5.7.3.2"], 7],
    ["hub", "URI:zor://hub/main, DNS:hub.zor, IP Address:10.0.0.1", ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"], 30],
  ])("gives a %s exactly its names and uses, for a short time", async (kind, names, usages, days) => {
    const certificate = await issue(await Authority.open(directory), subjects[kind]);
    expect(certificate.subjectAltName).toBe(names);
    expect(certificate.keyUsage).toEqual(usages);
    expect(certificate.ca).toBe(false);
    const lifeMs = certificate.validToDate.getTime() - Date.now();
    expect(Math.abs(lifeMs - days * dayMs)).toBeLessThan(60_000);
  });

  test("serial numbers are as Node prints them, and never the same", async () => {
    const authority = await Authority.open(directory);
    const serials = new Set<string>();
    for (let index = 0; index < 20; index += 1) {
      const issued = await authority.issue(await publicKey(), "x", profileOf(subjects.user, lifetimes));
      expect(new X509Certificate(issued.der).serialNumber).toBe(issued.serial);
      serials.add(issued.serial);
    }
    expect(serials.size).toBe(20);
  });
});

describe("a request for a certificate", () => {
  test("whose signature is not by its own key is refused", async () => {
    const der = await createCsr(createKeyPem());
    der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1);
    await expect(publicKeyOfCsr("csr", der)).rejects.toMatchObject({ reason: "INVALID_FIELD" });
  });

  test.each([
    ["empty", Buffer.alloc(0)],
    ["too long", Buffer.alloc(9000, 0x30)],
    ["noise", Buffer.from("3082")],
  ])("that is %s is refused", async (_what, der) => {
    await expect(publicKeyOfCsr("csr", der)).rejects.toMatchObject({ reason: "INVALID_FIELD" });
  });
});

describe("the hub's own identity", () => {
  const ensure = async (authority: Authority, ips: string[], now = new Date()): Promise<string> => {
    const profile = profileOf(subjects.hub, lifetimes, ips);
    const identity = await ensureLocalIdentity({
      authority,
      directory: join(directory, "identity"),
      profile,
      issue: (key) => authority.issue(key, "main", profile),
      now,
    });
    return identity.certificatePem;
  };

  test("is kept while it fits, and made anew for another address, another CA or when two thirds of its life are over", async () => {
    await mkdir(join(directory, "ca"));
    const authority = await Authority.open(join(directory, "ca"));
    const first = await ensure(authority, ["10.0.0.1"]);
    expect(await ensure(authority, ["10.0.0.1"])).toBe(first);
    const moved = await ensure(authority, ["10.0.0.2"]);
    expect(moved).not.toBe(first);
    const aged = await ensure(authority, ["10.0.0.2"], new Date(Date.now() + 21 * dayMs));
    expect(aged).not.toBe(moved);
    await mkdir(join(directory, "ca2"));
    expect(await ensure(await Authority.open(join(directory, "ca2")), ["10.0.0.2"])).not.toBe(aged);
  });
});

describe("revocation", () => {
  test("concerns the certificates there are, not later ones, and survives the hub until they expire", async () => {
    await chmod(directory, 0o700);
    const authority = await Authority.open(directory);
    const store = SqliteStore.open(join(directory, "hub.db"));
    const certificates = await Certificates.open(authority, store, lifetimes, new Date());
    const [old, other] = [
      await certificates.issue(await publicKey(), subjects.user),
      await certificates.issue(await publicKey(), subjects.service),
    ];
    const { serials, changes } = await certificates.planRevocation("zor://user/ana");
    await store.commit(changes);
    certificates.revoked(serials);
    const again = await certificates.issue(await publicKey(), subjects.user);
    const revoked = (of: Certificates) => [old, other, again].map(({ serial }) => of.isRevoked(serial));
    expect(revoked(certificates)).toEqual([true, false, false]);
    expect(revoked(await Certificates.open(authority, store, lifetimes, new Date()))).toEqual([true, false, false]);
    await Certificates.open(authority, store, lifetimes, new Date(Date.now() + 8 * dayMs));
    expect(await store.list("revocations")).toEqual([]);
    await store.close();
  });
});
