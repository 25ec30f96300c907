import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { QmpClient, type QmpEvent } from "../../../../../agent/drivers/qemu/qmp-client.js";
import { connectPeer, type ScriptedPeer } from "../../../../fakes/qmp-peer.js";

const greeting = { QMP: { version: { qemu: { major: 7 } }, capabilities: [] } };

describe("a QMP client", () => {
  let peer: ScriptedPeer;
  let events: QmpEvent[];
  const options = () => ({ resource: "instances/vm1", onEvent: (event: QmpEvent) => events.push(event) });

  beforeEach(async () => {
    peer = await connectPeer();
    events = [];
  });
  afterEach(() => peer[Symbol.asyncDispose]());

  async function openClient(timeoutMs = 5000): Promise<QmpClient> {
    const opening = QmpClient.open(peer.socket, { ...options(), timeoutMs });
    peer.sendJson(greeting);
    const { id, execute } = await peer.nextCommand();
    expect(execute).toBe("qmp_capabilities");
    peer.sendJson({ return: {}, id });
    return await opening;
  }

  it("waits for the greeting before it negotiates", async () => {
    const opening = QmpClient.open(peer.socket, options());
    expect(peer.received()).toHaveLength(0);
    peer.sendJson(greeting);
    const { id } = await peer.nextCommand();
    peer.sendJson({ return: {}, id });
    await expect(opening).resolves.toBeInstanceOf(QmpClient);
  });

  it("gives each answer to the command with its id, in whatever order they come", async () => {
    const client = await openClient();
    const [first, second] = [client.execute("a"), client.execute("b")];
    const [a, b] = [await peer.nextCommand(), await peer.nextCommand()];
    peer.sendJson({ return: "for b", id: b["id"] });
    peer.sendJson({ return: "for a", id: a["id"] });
    expect(await Promise.all([first, second])).toEqual(["for a", "for b"]);
  });

  it("reads messages that arrive in pieces or several at a time", async () => {
    const client = await openClient();
    const running = client.execute("a");
    const { id } = await peer.nextCommand();
    const text = `${JSON.stringify({ event: "STOP", data: {} })}\r\n${JSON.stringify({ return: 1, id })}\r\n`;
    for (const character of text.slice(0, 10)) peer.send(character);
    peer.send(text.slice(10));
    expect(await running).toBe(1);
    expect(events).toEqual([{ name: "STOP", data: {} }]);
  });

  it("fails a refused command with QEMU's words and goes on", async () => {
    const client = await openClient();
    const refused = client.execute("device_del");
    const { id } = await peer.nextCommand();
    peer.sendJson({ error: { class: "DeviceNotFound", desc: "no such device" }, id });
    await expect(refused).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      metadata: { qmpClass: "DeviceNotFound" },
      message: expect.stringContaining("no such device"),
    });
    const next = client.execute("query-status");
    peer.sendJson({ return: { status: "running" }, id: (await peer.nextCommand())["id"] });
    await expect(next).resolves.toEqual({ status: "running" });
  });

  it("gives up on a late answer, and does not take it for another's", async () => {
    const client = await openClient();
    const late = client.execute("slow", {}, 20);
    const { id } = await peer.nextCommand();
    await expect(late).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    const next = client.execute("fast");
    peer.sendJson({ return: "slow", id });
    peer.sendJson({ return: "fast", id: (await peer.nextCommand())["id"] });
    await expect(next).resolves.toBe("fast");
  });

  it("fails every waiting command when QEMU hangs up, and every later one", async () => {
    const client = await openClient();
    const waiting = [client.execute("a"), client.execute("b")];
    const outcomes = Promise.allSettled(waiting);
    peer.hangUp();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: status.UNAVAILABLE } });
    }
    await client.closed;
    await expect(client.execute("c")).rejects.toMatchObject({ reason: "QMP_DISCONNECTED" });
  });

  it.each([
    ["what is not JSON", "hello\n"],
    ["JSON that is no object", "[1]\n"],
    ["an endless line", Buffer.alloc(17 * 1024 * 1024, 0x20)],
  ])("ends the connection on %s", async (_what, data) => {
    const client = await openClient();
    const waiting = client.execute("a");
    waiting.catch(() => undefined);
    await peer.nextCommand();
    peer.send(data);
    await expect(waiting).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await client.closed;
  });

  it("gives up when there is no greeting", async () => {
    await expect(QmpClient.open(peer.socket, { ...options(), timeoutMs: 20 })).rejects.toMatchObject({
      code: status.UNAVAILABLE,
    });
  });
});
