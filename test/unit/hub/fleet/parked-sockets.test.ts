import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { type Parked, ParkedSockets } from "../../../../hub/fleet/parked-sockets.js";

const forever = new AbortController().signal;

function of(serial: string, socket: PassThrough, boot = ""): Parked {
  return { socket, serial, boot, peer: "192.0.2.1:1" };
}

describe("connections that agents have parked", () => {
  test("the newest is taken first, each once, and only by its own host", async () => {
    const parked = new ParkedSockets();
    const [first, second, other] = [new PassThrough(), new PassThrough(), new PassThrough()];
    parked.park("alpha", of("1", first));
    parked.park("alpha", of("1", second));
    parked.park("beta", of("2", other));
    expect((await parked.take("alpha", 1000, forever)).socket).toBe(second);
    expect((await parked.take("alpha", 1000, forever)).socket).toBe(first);
    await expect(parked.take("alpha", 1, forever)).rejects.toMatchObject({ reason: "NOT_DIALLED_IN" });
    expect((await parked.take("beta", 1000, forever)).socket).toBe(other);
  });

  test("one that comes later goes to whoever waits", async () => {
    const parked = new ParkedSockets();
    const taking = parked.take("alpha", 5000, forever);
    const socket = new PassThrough();
    parked.park("alpha", of("1", socket));
    expect((await taking).socket).toBe(socket);
  });

  test("waiting ends when it is aborted", async () => {
    const abort = new AbortController();
    const taking = new ParkedSockets().take("alpha", 60_000, abort.signal);
    abort.abort();
    await expect(taking).rejects.toMatchObject({ reason: "NOT_DIALLED_IN" });
  });

  test("of more than four the oldest is closed, and a closed one is not given", async () => {
    const parked = new ParkedSockets();
    const sockets = Array.from({ length: 5 }, () => new PassThrough());
    for (const socket of sockets) parked.park("alpha", of("1", socket));
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, false, false, false, false]);
    sockets[4]?.destroy();
    expect((await parked.take("alpha", 1000, forever)).socket).toBe(sockets[3]);
  });

  test("those with a revoked certificate are closed", () => {
    const parked = new ParkedSockets();
    const [good, bad] = [new PassThrough(), new PassThrough()];
    parked.park("alpha", of("1", good));
    parked.park("beta", of("2", bad));
    parked.dropRevoked((serial) => serial === "2");
    expect([good.destroyed, bad.destroyed]).toEqual([false, true]);
  });

  test("those of other processes than the one in use are closed, not those that do not tell", () => {
    const parked = new ParkedSockets();
    const [used, other, untold] = [new PassThrough(), new PassThrough(), new PassThrough()];
    parked.park("alpha", of("1", used, "boot-1"));
    parked.park("alpha", of("1", other, "boot-2"));
    parked.park("alpha", of("1", untold));
    parked.keepOnly("alpha", "boot-1");
    expect([used, other, untold].map(({ destroyed }) => destroyed)).toEqual([false, true, false]);
  });
});
