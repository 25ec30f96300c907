import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import "reflect-metadata";
import { PublicKey } from "@peculiar/x509";
import { createKeyPem, type Identity, loadIdentity, saveIdentity } from "../../lib/tls/identity.js";
import type { Authority } from "./authority.js";
import type { Profile } from "./profile.js";

/** An identity the hub makes for its own machine: its server certificate, and the local admin's. */
export interface LocalIdentityOptions {
  readonly authority: Authority;
  readonly directory: string;
  readonly profile: Profile;
  /** Signs the key. */
  readonly issue: (publicKey: PublicKey) => Promise<{ readonly pem: string }>;
  readonly now: Date;
}

/** Loads the identity in a directory, or signs a new one when there is none or it no longer fits any more. */
export async function ensureLocalIdentity(options: LocalIdentityOptions): Promise<Identity> {
  const { authority, directory, profile } = options;
  if (existsSync(join(directory, "cert.pem"))) {
    const present = await loadIdentity(directory).catch(() => undefined);
    if (present !== undefined && isCurrent(present, authority, profile, options.now)) return present;
  }
  const keyPem = createKeyPem();
  const spki = createPublicKey(createPrivateKey(keyPem)).export({ type: "spki", format: "der" });
  const issued = await options.issue(new PublicKey(new Uint8Array(spki)));
  const identity = { keyPem, certificatePem: issued.pem, caPem: authority.certificatePem };
  await saveIdentity(directory, identity);
  return identity;
}

/** Whether a certificate is of this authority, has more than a third of its life left and names every address of the profile. */
function isCurrent(identity: Identity, authority: Authority, profile: Profile, now: Date): boolean {
  const certificate = new X509Certificate(identity.certificatePem);
  if (identity.caPem !== authority.certificatePem) return false;
  if (certificate.validToDate.getTime() - now.getTime() < profile.lifetimeMs / 3) return false;
  const names = (certificate.subjectAltName ?? "").split(", ");
  return (
    profile.ipAddresses.every((address) => certificate.checkIP(address) !== undefined) &&
    profile.uris.every((uri) => names.includes(`URI:${uri}`))
  );
}
