import "reflect-metadata";
import { Pkcs10CertificateRequest, type PublicKey } from "@peculiar/x509";
import { invalidArgument } from "../../lib/errors.js";

const maxBytes = 8192;

/**
 * The public key of a PKCS #10 request in DER. The request's signature proves that the joiner holds the key; its subject and
 * extensions are ignored. Keys are EC P-256.
 * @throws {ZorError} INVALID_ARGUMENT.
 */
export async function publicKeyOfCsr(field: string, der: Uint8Array): Promise<PublicKey> {
  if (der.length === 0 || der.length > maxBytes) {
    throw invalidArgument(field, `a PKCS #10 request in DER of 1 to ${maxBytes} bytes is needed`);
  }
  let publicKey: PublicKey;
  let proven: boolean;
  try {
    // A copy: the message's buffer is a view into a larger one.
    const csr = new Pkcs10CertificateRequest(new Uint8Array(der));
    publicKey = csr.publicKey;
    proven = await csr.verify();
  } catch {
    throw invalidArgument(field, "not a PKCS #10 request in DER");
  }
  if (!proven) throw invalidArgument(field, "the request is not signed by its own key");
  const { algorithm } = publicKey;
  if (!("namedCurve" in algorithm) || algorithm.namedCurve !== "P-256") {
    throw invalidArgument(field, "the key must be EC P-256");
  }
  return publicKey;
}
