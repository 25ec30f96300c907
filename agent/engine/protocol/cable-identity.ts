import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** The host's own key and certificate for cables. */
export interface CableIdentity {
  readonly keyPem: string;
  readonly certificatePem: string;
  /** SHA-256 of the certificate's subject public key info: what other hosts pin. */
  readonly keySha256: Buffer;
}

/** Reads the identity that ensureCableIdentity made. */
export async function loadCableIdentity(directory: string): Promise<CableIdentity> {
  return checkIdentity(
    await readFile(join(directory, "key.pem"), "utf8"),
    await readFile(join(directory, "cert.pem"), "utf8"),
  );
}

/** Checks that key and certificate belong together. @throws when they do not or are damaged. */
export function checkIdentity(keyPem: string, certificatePem: string): CableIdentity {
  const certificate = new X509Certificate(certificatePem);
  if (!certificate.checkPrivateKey(createPrivateKey(keyPem))) throw new Error("the key is not that of the certificate");
  return { keyPem, certificatePem, keySha256: keySha256Of(certificate) };
}

/** The pin of a certificate. */
export function keySha256Of(certificate: X509Certificate): Buffer {
  return createHash("sha256")
    .update(certificate.publicKey.export({ type: "spki", format: "der" }))
    .digest();
}
