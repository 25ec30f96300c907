import { isIP } from "node:net";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import type {
  ConnectOpen,
  ConnectRequest,
  ConnectResponse,
  ForwardServiceService,
} from "../../../proto/gen/zor/v1/forward_service.js";
import type { ScreenProtocol } from "../../drivers/abilities/screen.js";
import type { FromServer } from "../../network/socket-stream.js";
import { parseInterfaceName } from "../../network/ip.js";
import type { HostScope } from "../../kit/host-scope.js";
import type { InstanceManager } from "./manager.js";

/** What the forward service works with. */
export interface ForwardServiceOptions {
  readonly scope: HostScope;
  readonly manager: InstanceManager;
}

/** Larger pieces are cut: a message stays small on its way. */
const pieceBytes = 256 * 1024;

/** The forward service of this host. */
export function forwardService(options: ForwardServiceOptions): Handlers<typeof ForwardServiceService> {
  return { connect: (requests, context) => connect(options, requests, context) };
}

async function* connect(
  { scope, manager }: ForwardServiceOptions,
  requests: AsyncIterable<ConnectRequest>,
  { signal, caller }: CallContext,
): AsyncIterable<ConnectResponse> {
  const iterator = requests[Symbol.asyncIterator]();
  const open = readOpen(await iterator.next());
  const id = scope.parse("instance", "open.name", open.name);
  const to = checked(open);
  const reached = manager.reach(id);
  if (open.uid !== "" && open.uid !== reached.uid) throw anotherOne(reached.name);
  const leaveScreen = "screen" in to ? reached.viewing(caller.identity, to.screen) : undefined;
  const abort = new AbortController();
  const count = { in: 0, out: 0 };
  const failure: { error?: unknown } = {};
  const input = inputOf(
    iterator,
    (bytes) => {
      count.in += bytes;
    },
    (error) => {
      failure.error = error;
      abort.abort(error);
    },
  );
  let opened = false;
  try {
    const both = AbortSignal.any([signal, abort.signal]);
    const outputs =
      "screen" in to
        ? reached.connectScreen({ protocol: to.screen, input }, { signal: both })
        : reached.connect({ ...to, input }, { signal: both });
    for await (const output of outputs) {
      opened = true;
      if (output.type === "data") count.out += output.data.length;
      yield* toResponses(output);
    }
  } catch (error) {
    throw failure.error ?? error;
  } finally {
    abort.abort();
    leaveScreen?.(opened ? count : undefined);
    // A hub that connects for itself counts at its expose: whoever comes there must not be able to have all other events go by.
    if (opened && !("screen" in to) && caller.kind !== "hub") {
      const bytes = `${count.in} bytes in, ${count.out} out`;
      reached.tell("forwarded", `a connection to port ${to.port} ended: ${bytes}`, caller.identity);
    }
  }
}

function anotherOne(name: string): Error {
  return failedPrecondition(
    "ANOTHER_INSTANCE",
    name,
    `${name} is not the instance that was meant: that one was deleted, and another one has its name`,
  );
}

function* toResponses(output: FromServer): Iterable<ConnectResponse> {
  switch (output.type) {
    case "opened":
      yield { message: { $case: "opened", value: {} } };
      return;
    case "end":
      yield { message: { $case: "end", value: {} } };
      return;
    case "data":
      for (let at = 0; at < output.data.length; at += pieceBytes) {
        yield { message: { $case: "data", value: Buffer.from(output.data.subarray(at, at + pieceBytes)) } };
      }
  }
}

function readOpen(first: IteratorResult<ConnectRequest>): ConnectOpen {
  const message = first.done === true ? undefined : first.value.message;
  if (message?.$case === "open") return message.value;
  throw invalidArgument("open", "must be the first message");
}

/** What is connected to; an address or NIC that is not said is "". */
type Place = Pick<ConnectOpen, "port" | "address" | "nic">;

/** A screen, and how it is to be shown. */
interface Screen {
  readonly screen: ScreenProtocol;
}

function checked({ port, address, screen, nic, screenProtocol }: ConnectOpen): Place | Screen {
  if (screen) {
    if (port !== 0) throw invalidArgument("open.port", "must not be set for the screen");
    if (address !== "") throw invalidArgument("open.address", "must not be set for the screen");
    if (nic !== "") throw invalidArgument("open.nic", "must not be set for the screen");
    if (screenProtocol === "" || screenProtocol === "vnc") return { screen: "vnc" };
    if (screenProtocol === "spice") return { screen: screenProtocol };
    throw invalidArgument("open.screen_protocol", `${quote(screenProtocol)} is neither "vnc" nor "spice"`);
  }
  if (screenProtocol !== "") throw invalidArgument("open.screen_protocol", "must not be set without screen");
  if (port < 1 || port > 65_535) throw invalidArgument("open.port", "must be from 1 to 65535");
  if (address !== "" && (isIP(address) === 0 || address.includes("%"))) {
    throw invalidArgument("open.address", "must be an IP address, without a zone");
  }
  if (nic !== "") parseInterfaceName("open.nic", nic);
  return { port, address, nic };
}

/** The bytes for the server, taken from the caller's messages no faster than they are asked for. A bad message ends the connection. */
async function* inputOf(
  requests: AsyncIterator<ConnectRequest>,
  onBytes: (bytes: number) => void,
  onBad: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = await requests.next(); next.done !== true; next = await requests.next()) {
      const { message } = next.value;
      if (message?.$case === "end") return;
      if (message?.$case !== "data") throw invalidArgument("message", "must be data or end, after the first");
      onBytes(message.value.length);
      yield message.value;
    }
  } catch (error) {
    onBad(error);
  }
}
