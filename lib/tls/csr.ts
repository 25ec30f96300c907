import "reflect-metadata";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/**
 * A PKCS #10 request in DER for an EC P-256 key. It proves that the joiner holds the key; the hub decides every name in the
 * certificate, so the request carries none.
 */
export async function createCsr(keyPem: string): Promise<Buffer> {
  const privateKey = createPrivateKey(keyPem);
  const publicKey = createPublicKey(privateKey);
  const usages = { privateKey: ["sign"], publicKey: ["verify"] } as const;
  const keys = {
    privateKey: await crypto.subtle.importKey(
      "pkcs8",
      new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" })),
      algorithm,
      true,
      [...usages.privateKey],
    ),
    publicKey: await crypto.subtle.importKey(
      "spki",
      new Uint8Array(publicKey.export({ type: "spki", format: "der" })),
      algorithm,
      true,
      [...usages.publicKey],
    ),
  };
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: "CN=joiner",
    keys,
    signingAlgorithm: algorithm,
  });
  return Buffer.from(request.rawData);
}
