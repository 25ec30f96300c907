import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { failedPrecondition, messageOf, ZorError } from "../../../lib/errors.js";
import { Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService, UpdateHostRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { CreateTokenRequest, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { VersionServiceService } from "../../../proto/gen/zor/v1/version_service.js";
import { isAway } from "../../client/operation.js";
import type { Session } from "../session.js";
import type { HostWish } from "./wishes.js";

/** Annotation of a host: "user@host:port" by which zor reaches it with ssh. */
export const sshAnnotation = "zor.ssh";

const readyTimeoutMs = 60_000;
const lookMs = 300;

/** How far the hub's clock is ahead of the one here, in milliseconds; undefined: it does not tell. */
export async function readHubClock(session: Session): Promise<number | undefined> {
  await session.connect();
  const began = Date.now();
  const { time } = await session.call(VersionServiceService.getVersion, {});
  return time === undefined ? undefined : time.getTime() - (began + Date.now()) / 2;
}

/** The host as the hub has it; undefined: it is not registered. */
export async function findHost(session: Session, name: string): Promise<Host | undefined> {
  try {
    return (await session.call(HostServiceService.getHost, { name })).host;
  } catch (error) {
    if (error instanceof ZorError && error.code === status.NOT_FOUND) return undefined;
    throw error;
  }
}

/** A token with which the host joins; it is registered when it is not yet. */
export async function tokenFor(session: Session, { id, labels }: HostWish, known: Host | undefined): Promise<string> {
  if (known === undefined) {
    const host = Host.fromPartial({ labels: { ...labels } });
    const request = CreateHostRequest.fromPartial({ hostId: id, host, requestId: session.requestId() });
    return (await session.call(HostServiceService.createHost, request)).joinToken;
  }
  const request = CreateTokenRequest.fromPartial({
    subject: { $case: "hostId", value: id },
    requestId: session.requestId(),
  });
  return (await session.call(TokenServiceService.createToken, request)).token;
}

/** Notes on the host how ssh reaches it, for later runs that name the host alone. */
export async function noteSsh(session: Session, host: Host, target: string): Promise<boolean> {
  if (host.annotations[sshAnnotation] === target) return false;
  const annotations = { ...host.annotations, [sshAnnotation]: target };
  const request = UpdateHostRequest.fromPartial({
    host: { name: host.name, annotations, etag: host.etag },
    updateMask: ["annotations"],
    requestId: session.requestId(),
  });
  await session.call(HostServiceService.updateHost, request);
  return true;
}

/**
 * Waits until the hub has a session with a host's agent. A hub that does not answer once is asked again: it may be busy, or started anew. @param pid process id of that agent; undefined: any.
 * @throws {ZorError} FAILED_PRECONDITION with what the hub says, after a minute.
 */
export async function waitUntilReady(session: Session, name: string, pid: bigint | undefined): Promise<Host> {
  const deadline = performance.now() + readyTimeoutMs;
  for (;;) {
    const look = await lookAt(session, name);
    const host = "host" in look ? look.host : undefined;
    const isIt = pid === undefined || host?.agentPid === pid;
    if (host?.state === HostState.HOST_STATE_READY && isIt) return host;
    if (performance.now() > deadline) {
      const why =
        "silence" in look
          ? look.silence
          : host === undefined
            ? "it is not registered"
            : isIt
              ? host.reason
              : "it still has a session with another agent of it";
      throw failedPrecondition(
        "HOST_NOT_READY",
        name,
        `the hub does not reach the agent of ${name} within a minute: ${why}`,
      );
    }
    await delay(lookMs, undefined, { signal: session.io.signal });
  }
}

/** The host as the hub has it, or why the hub has not answered. */
async function lookAt(
  session: Session,
  name: string,
): Promise<{ readonly host: Host | undefined } | { readonly silence: string }> {
  try {
    return { host: await findHost(session, name) };
  } catch (error) {
    if (isAway(error)) return { silence: messageOf(error) };
    throw error;
  }
}

/** What a host cannot do, each with the reason: what "zor doctor" says on it. */
export function lacksOf(host: Host): readonly string[] {
  return (host.fingerprint?.capabilities ?? [])
    .filter(({ available, reason }) => !available && reason !== "")
    .map(({ id, reason }) => `without ${id}: ${reason}`);
}

/** "uid" of who joined under a name, or "" when nobody has. */
export function hasJoined(host: Host | undefined): boolean {
  return host !== undefined && host.uid !== "";
}
