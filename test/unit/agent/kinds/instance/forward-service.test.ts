import { expect, it } from "vitest";
import type { ScreenProtocol } from "../../../../../agent/drivers/abilities/screen.js";
import { forwardService } from "../../../../../agent/kinds/instance/forward-service.js";
import { ConnectOpen, type ConnectRequest } from "../../../../../proto/gen/zor/v1/forward_service.js";

/** What is reached of an instance when a connection is opened: the protocol, or the port. */
async function reach(
  open: Partial<ConnectOpen>,
  caller: object = { identity: "ana", kind: "user" },
): Promise<readonly unknown[]> {
  const reached: unknown[] = [];
  async function* screen({ protocol }: { protocol: ScreenProtocol }) {
    reached.push(protocol);
    yield { type: "opened" };
  }
  async function* server({ port }: { port: number }) {
    reached.push(port);
    yield { type: "opened" };
  }
  const viewing = (caller: string, protocol: string) => {
    reached.push(`${caller} ${protocol} comes`);
    return (carried: unknown) => void reached.push(carried);
  };
  const options = {
    scope: { parse: () => "vm1" },
    manager: {
      reach: () => ({
        ...{ name: "n", uid: "u1", viewing, connectScreen: screen, connect: server },
        tell: (type: string) => void reached.push(type),
      }),
    },
  } as unknown as Parameters<typeof forwardService>[0];
  async function* requests(): AsyncGenerator<ConnectRequest> {
    yield { message: { $case: "open", value: ConnectOpen.fromPartial({ name: "n", ...open }) } };
  }
  const context = { signal: new AbortController().signal, caller };
  const answers = forwardService(options).connect(requests(), context as never);
  for await (const _answer of answers as AsyncIterable<unknown>);
  return reached;
}

it.each([
  ["by VNC unless it is said", { screen: true }, "vnc"],
  ["by VNC", { screen: true, screenProtocol: "vnc" }, "vnc"],
  ["by SPICE", { screen: true, screenProtocol: "spice" }, "spice"],
])("reaches screens %s, and counts who does", async (_what, open, protocol) => {
  expect(await reach(open)).toEqual([`ana ${protocol} comes`, protocol, { in: 0, out: 0 }]);
});

it("tells who reached a server, but not of a hub that connects for itself", async () => {
  expect(await reach({ port: 80 })).toEqual([80, "forwarded"]);
  expect(await reach({ port: 80 }, { identity: "zor://hub/hub", kind: "hub" })).toEqual([80]);
});

it("reaches the very instance that is meant, and no other of its name", async () => {
  expect(await reach({ port: 80, uid: "u1" })).toEqual([80, "forwarded"]);
  await expect(reach({ port: 80, uid: "u0" })).rejects.toMatchObject({ reason: "ANOTHER_INSTANCE" });
});

it.each([
  [{ screen: true, screenProtocol: "rdp" }, "open.screen_protocol"],
  [{ port: 80, screenProtocol: "spice" }, "open.screen_protocol"],
  [{ screen: true, screenProtocol: "spice", port: 80 }, "open.port"],
])("refuses %j by name", async (open, field) => {
  await expect(reach(open)).rejects.toMatchObject({ violations: [{ field }] });
});
