import "reflect-metadata";
import { createHash, createPrivateKey, randomBytes, webcrypto } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { ZorError } from "../../lib/errors.js";
import { writeFileAtomic } from "../../lib/files.js";
import type { Profile } from "./profile.js";

const keyAlgorithm = { name: "ECDSA", namedCurve: "P-256" };
const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" };
const authorityLifetimeMs = 10 * 365 * 24 * 60 * 60 * 1000;
/** Certificates begin a little early, so that a joiner whose clock is behind can use them at once. */
const clockSkewMs = 5 * 60 * 1000;

/** A signed leaf certificate. */
export interface IssuedCertificate {
  readonly der: Buffer;
  readonly pem: string;
  /** Serial number as Node prints it: upper-case hexadecimal. */
  readonly serial: string;
  readonly expireTime: Date;
}

/** The hub's certificate authority: EC P-256, kept as key.pem and cert.pem (mode 0600) in a directory of its own. */
export class Authority {
  readonly #key: webcrypto.CryptoKey;
  readonly #certificate: X509Certificate;

  private constructor(key: webcrypto.CryptoKey, certificate: X509Certificate) {
    this.#key = key;
    this.#certificate = certificate;
  }

  /** Loads the authority, or makes it when the directory holds none. @throws {ZorError} reason CA_DAMAGED. */
  static async open(directory: string): Promise<Authority> {
    const keyFile = join(directory, "key.pem");
    const certificateFile = join(directory, "cert.pem");
    // The certificate is written last: without it the key was never used.
    if (!existsSync(certificateFile)) await create(keyFile, certificateFile);
    try {
      const certificate = new X509Certificate(readFileSync(certificateFile, "utf8"));
      const pkcs8 = createPrivateKey(readFileSync(keyFile)).export({ type: "pkcs8", format: "der" });
      const key = await webcrypto.subtle.importKey("pkcs8", pkcs8, keyAlgorithm, false, ["sign"]);
      return new Authority(key, certificate);
    } catch (error) {
      throw new ZorError({
        reason: "CA_DAMAGED",
        code: status.DATA_LOSS,
        message: `the hub's certificate authority in ${directory} cannot be read: restore it from a copy; with a new one every host and person must join again`,
        cause: error,
      });
    }
  }

  get certificatePem(): string {
    return `${this.#certificate.toString("pem")}\n`;
  }

  get certificateDer(): Buffer {
    return Buffer.from(this.#certificate.rawData);
  }

  /** SHA-256 of the DER certificate: what join tokens carry. */
  get fingerprint(): Buffer {
    return createHash("sha256").update(this.certificateDer).digest();
  }

  /** Signs a certificate for a public key. `commonName` is for people; programs read the SANs of the profile. */
  async issue(publicKey: PublicKey, commonName: string, profile: Profile): Promise<IssuedCertificate> {
    const now = Date.now();
    // The first bit is clear so that the DER integer is positive and keeps its length.
    const serial = randomBytes(16);
    serial.writeUInt8((serial.readUInt8(0) & 0x3f) | 0x40, 0);
    const names: JsonGeneralName[] = [
      ...profile.uris.map((value) => ({ type: "url" as const, value })),
      ...profile.dnsNames.map((value) => ({ type: "dns" as const, value })),
      ...profile.ipAddresses.map((value) => ({ type: "ip" as const, value })),
    ];
    const usages = profile.serverAuth
      ? [ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.serverAuth]
      : [ExtendedKeyUsage.clientAuth];
    const notAfter = new Date(Math.min(now + profile.lifetimeMs, this.#certificate.notAfter.getTime()));
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serial.toString("hex"),
      subject: `CN=${commonName}`,
      issuer: this.#certificate.subject,
      notBefore: new Date(now - clockSkewMs),
      notAfter,
      publicKey,
      signingKey: this.#key,
      signingAlgorithm,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension(usages, false),
        new SubjectAlternativeNameExtension(names, false),
        await SubjectKeyIdentifierExtension.create(publicKey),
        await AuthorityKeyIdentifierExtension.create(this.#certificate),
      ],
    });
    return {
      der: Buffer.from(certificate.rawData),
      pem: `${certificate.toString("pem")}\n`,
      serial: serial.toString("hex").toUpperCase(),
      expireTime: certificate.notAfter,
    };
  }
}

async function create(keyFile: string, certificateFile: string): Promise<void> {
  const keys = await webcrypto.subtle.generateKey(keyAlgorithm, true, ["sign", "verify"]);
  const now = Date.now();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomBytes(16).toString("hex"),
    name: "CN=Zorhub CA",
    notBefore: new Date(now - clockSkewMs),
    notAfter: new Date(now + authorityLifetimeMs),
    keys,
    signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const keyPem = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }).export({
    type: "pkcs8",
    format: "pem",
  });
  await writeFileAtomic(keyFile, keyPem, { mode: 0o600 });
  await writeFileAtomic(certificateFile, `${certificate.toString("pem")}\n`, { mode: 0o600 });
}
