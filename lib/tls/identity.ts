import { createHash, createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { urisOf } from "../auth/caller.js";
import { messageOf, ZorError } from "../errors.js";
import { writeFileAtomic } from "../files.js";

/** A key, its certificate and the CA that signed it, all PEM. */
export interface Identity {
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly caPem: string;
}

const files = { keyPem: "key.pem", certificatePem: "cert.pem", caPem: "ca.pem" } as const;

/**
 * Reads an identity from a directory with key.pem, cert.pem and ca.pem and checks that they belong together.
 * @throws {ZorError} FAILED_PRECONDITION with the remedy when one is missing or does not fit.
 */
export async function loadIdentity(directory: string): Promise<Identity> {
  try {
    const [keyPem, certificatePem, caPem] = await Promise.all(
      [files.keyPem, files.certificatePem, files.caPem].map((file) => readFile(join(directory, file), "utf8")),
    );
    const identity = { keyPem: keyPem ?? "", certificatePem: certificatePem ?? "", caPem: caPem ?? "" };
    const certificate = new X509Certificate(identity.certificatePem);
    if (!certificate.checkPrivateKey(createPrivateKey(identity.keyPem))) {
      throw new Error("key.pem does not belong to cert.pem");
    }
    return identity;
  } catch (error) {
    throw new ZorError({
      reason: "NO_IDENTITY",
      code: status.FAILED_PRECONDITION,
      message: `no usable identity in ${directory}: ${messageOf(error)}; join the hub with a token to get one`,
      cause: error,
    });
  }
}

/** Writes an identity durably; the key is readable by its owner only. */
export async function saveIdentity(directory: string, identity: Identity): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFileAtomic(join(directory, files.caPem), identity.caPem, { mode: 0o644 });
  await writeFileAtomic(join(directory, files.keyPem), identity.keyPem, { mode: 0o600 });
  await writeFileAtomic(join(directory, files.certificatePem), identity.certificatePem, { mode: 0o644 });
}

/** Facts of a certificate that decide whom it names and how long. */
export interface CertificateFacts {
  /** URI subject alternative names. */
  readonly uris: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Reads the facts of a PEM or DER certificate. */
export function certificateFacts(certificate: string | Buffer): CertificateFacts {
  const parsed = new X509Certificate(certificate);
  return {
    uris: urisOf({ subjectaltname: parsed.subjectAltName ?? "" }),
    notBefore: parsed.validFromDate,
    notAfter: parsed.validToDate,
  };
}

/** SHA-256 of a certificate's DER encoding. */
export function certificateSha256(certificate: string | Buffer): Buffer {
  return createHash("sha256").update(new X509Certificate(certificate).raw).digest();
}

/** A certificate in DER as PEM. */
export function derToPem(der: Uint8Array): string {
  return new X509Certificate(der).toString();
}

/** A new EC P-256 key as PKCS #8 PEM. */
export function createKeyPem(): string {
  return generateKeyPairSync("ec", { namedCurve: "P-256" })
    .privateKey.export({ type: "pkcs8", format: "pem" })
    .toString();
}
