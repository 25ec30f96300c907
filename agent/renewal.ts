import { Backoff, pause } from "../lib/backoff.js";
import { messageOf } from "../lib/errors.js";
import { Connection } from "../lib/grpc/connection.js";
import type { Log } from "../lib/log.js";
import { createCsr } from "../lib/tls/csr.js";
import { certificateFacts, derToPem, saveIdentity } from "../lib/tls/identity.js";
import { hubServerName } from "../lib/tls/join.js";
import { RenewServiceService } from "../proto/gen/zor/v1/join_service.js";
import type { IdentityHolder } from "./identity-holder.js";

/** What renewal needs. */
export interface RenewalOptions {
  readonly identity: IdentityHolder;
  /** Where the identity is kept. */
  readonly directory: string;
  /** Addresses ("ip:port") of the hub's main listener. */
  readonly hubAddresses: readonly string[];
  readonly log: Log;
}

/** Longest single sleep: clocks jump and machines are suspended, so the date is looked at again now and then. */
const maxSleepMs = 60 * 60 * 1000;

/** Renews the certificate whenever less than a third of its life is left, and tries for ever when the hub is away. Ends with the signal. */
export async function renewForever(options: RenewalOptions, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff({ minMs: 2000, maxMs: 10 * 60 * 1000 });
  while (!signal.aborted) {
    const waitMs = untilRenewalMs(options.identity.current.certificatePem, new Date());
    if (waitMs > 0) {
      await pause(Math.min(waitMs, maxSleepMs), signal);
      continue;
    }
    try {
      await renewOnce(options, signal);
      backoff.reset();
      options.log.info("the certificate was renewed");
    } catch (error) {
      if (signal.aborted) return;
      options.log.warn({ reason: messageOf(error) }, "the certificate could not be renewed; trying again");
      await backoff.wait(signal);
    }
  }
}

/** Milliseconds until two thirds of a certificate's life are over; negative afterwards. */
export function untilRenewalMs(certificatePem: string, now: Date): number {
  const { notBefore, notAfter } = certificateFacts(certificatePem);
  const lifeMs = notAfter.getTime() - notBefore.getTime();
  return notBefore.getTime() + (lifeMs * 2) / 3 - now.getTime();
}

async function renewOnce(options: RenewalOptions, signal: AbortSignal): Promise<void> {
  const { current } = options.identity;
  // The key stays, so that the files on disk fit together at every moment of the replacement.
  const csr = await createCsr(current.keyPem);
  let failure: unknown = new Error("joining told no address of the hub");
  for (const address of options.hubAddresses) {
    const connection = new Connection({ address, serverName: hubServerName, identity: current });
    try {
      const { certificate } = await connection.unary(RenewServiceService.renew, { csr }, { signal });
      const renewed = { ...current, certificatePem: derToPem(certificate) };
      await saveIdentity(options.directory, renewed);
      options.identity.replace(renewed);
      return;
    } catch (error) {
      failure = error;
    } finally {
      connection.close();
    }
  }
  throw failure;
}
