import { connect } from "node:net";
import { failedPrecondition, unavailable } from "../../../lib/errors.js";
import { outsideDevice } from "./nat-config.js";
import type { NumberedForward } from "./rules.js";
import { outside } from "./subnet.js";

/**
 * Arguments of slirp4netns(1) for a nat: it carries what leaves the namespace as connections of its own, made in the host's, without any right
 * there. @param socket that it is told forwards by.
 */
export function slirpArguments(socket: string, netns: string): readonly string[] {
  return [
    "--disable-host-loopback",
    "--enable-ipv6",
    "--enable-sandbox",
    "--enable-seccomp",
    "--netns-type=path",
    `--cidr=${outside.cidr}`,
    slirpMark(socket),
    `/run/netns/${netns}`,
    outsideDevice,
  ];
}

/** The argument by which a slirp4netns is known. */
export function slirpMark(socket: string): string {
  return `--api-socket=${socket}`;
}

/** A forward as slirp4netns tells it. */
interface HostForward {
  readonly id: number;
  readonly proto: string;
  readonly host_addr: string;
  readonly host_port: number;
  readonly guest_port: number;
}

const answerMs = 5000;
const maxAnswerBytes = 256 * 1024;

/**
 * Has exactly these ports of the host lead into the namespace; those that do already are left alone. @param resource the nat.
 * @throws {ZorError} FAILED_PRECONDITION when a port cannot be had; those that could stay.
 */
export async function setForwards(
  socket: string,
  forwards: readonly NumberedForward[],
  resource: string,
): Promise<void> {
  const present =
    ((await ask(socket, { execute: "list_hostfwd" })) as { entries?: readonly HostForward[] }).entries ?? [];
  const isSame = (forward: NumberedForward, other: HostForward): boolean =>
    // Later versions tell "tcp4" for "tcp".
    other.proto.startsWith(forward.protocol) &&
    other.host_addr === forward.listenAddress &&
    other.host_port === forward.listenPort &&
    other.guest_port === forward.innerPort;
  for (const other of present) {
    if (forwards.some((forward) => isSame(forward, other))) continue;
    await ask(socket, { execute: "remove_hostfwd", arguments: { id: other.id } });
  }
  for (const forward of forwards) {
    if (present.some((other) => isSame(forward, other))) continue;
    const { protocol, listenAddress, listenPort, innerPort } = forward;
    const answer = await ask(socket, {
      execute: "add_hostfwd",
      arguments: {
        proto: protocol,
        host_addr: listenAddress,
        host_port: listenPort,
        guest_addr: outside.own,
        guest_port: innerPort,
      },
    });
    if (!("error" in answer)) continue;
    const where = `${protocol} port ${listenPort} of ${listenAddress}`;
    const message = `${resource}: ${where} cannot be forwarded: another program has it, or the address is none of the host's; choose another`;
    throw failedPrecondition("FORWARD_TAKEN", resource, message);
  }
}

/** Asks a slirp4netns: one question for each connection, which it ends. */
function ask(socket: string, question: object): Promise<object> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    const parts: Buffer[] = [];
    let bytes = 0;
    const fail = (why: string, cause?: unknown): void => {
      connection.destroy();
      reject(unavailable("NAT_UNAVAILABLE", "", `slirp4netns ${why}; it is started again by itself`, cause));
    };
    connection.setTimeout(answerMs, () => fail("does not answer"));
    connection.on("error", (error) => fail("cannot be asked", error));
    connection.on("data", (part: Buffer) => {
      parts.push(part);
      bytes += part.length;
      if (bytes > maxAnswerBytes) fail("says too much");
    });
    connection.on("end", () => {
      try {
        const answer: unknown = JSON.parse(Buffer.concat(parts).toString());
        if (typeof answer === "object" && answer !== null) resolve(answer);
        else fail("says nothing");
      } catch (error) {
        fail("says what is no answer", error);
      }
      connection.destroy();
    });
    connection.write(JSON.stringify(question));
  });
}
