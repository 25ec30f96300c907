// @peculiar/x509 needs the metadata polyfill to be there before it is loaded.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { readIfExists, setAside, writeFileAtomic } from "../../lib/files.js";
import { type CableIdentity, checkIdentity } from "../engine/protocol/cable-identity.js";
import { toldOf } from "../host/told.js";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
/** Pins, not dates, decide whether a cable certificate is good: it lives as long as the host. */
const validYears = 100;

/**
 * Reads `key.pem` and `cert.pem` of a directory, or makes them once. A damaged pair is set aside and replaced: `onDamage` is told,
 * since other hosts then know this one no more and every link needs a new ticket.
 */
export async function ensureCableIdentity(
  directory: string,
  onDamage: (message: string) => void,
): Promise<CableIdentity> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const keyFile = join(directory, "key.pem");
  const certificateFile = join(directory, "cert.pem");
  const keyPem = await readIfExists(keyFile);
  const certificatePem = await readIfExists(certificateFile);
  if (keyPem !== undefined && certificatePem !== undefined) {
    try {
      return checkIdentity(keyPem, certificatePem);
    } catch (error) {
      const aside = await setAside(keyFile, new Date());
      onDamage(`the cable identity is damaged (${toldOf(error)}); it is kept as ${aside} and a new one is made`);
    }
  }
  const made = await createIdentity();
  await writeFileAtomic(keyFile, made.keyPem, { mode: 0o600 });
  await writeFileAtomic(certificateFile, made.certificatePem, { mode: 0o644 });
  return made;
}

async function createIdentity(): Promise<CableIdentity> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const now = new Date();
  const notAfter = new Date(now);
  notAfter.setUTCFullYear(now.getUTCFullYear() + validYears);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: "CN=zorhub cable",
      // Clocks of lab hosts differ.
      notBefore: new Date(now.getTime() - 24 * 3_600_000),
      notAfter,
      signingAlgorithm: algorithm,
      keys,
    },
    // Node's web crypto satisfies the standard interface that the package was written for.
    webcrypto as unknown as Crypto,
  );
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const keyPem = x509.PemConverter.encode(pkcs8, "PRIVATE KEY");
  return checkIdentity(keyPem, certificate.toString("pem"));
}
