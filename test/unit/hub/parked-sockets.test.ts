import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { ParkedSockets } from "../../../hub/hosts/parked-sockets.js";

const forever = new AbortController().signal;

describe("connections that agents have parked", () => {
  test("the newest is taken first, each once, and only by its own host", async () => {
    const parked = new ParkedSockets();
    const [first, second, other] = [new PassThrough(), new PassThrough(), new PassThrough()];
    parked.park("alpha", "1", first);
    parked.park("alpha", "1", second);
    parked.park("beta", "2", other);
    expect(await parked.take("alpha", 1000, forever)).toBe(second);
    expect(await parked.take("alpha", 1000, forever)).toBe(first);
    await expect(parked.take("alpha", 1, forever)).rejects.toMatchObject({ reason: "NOT_DIALLED_IN" });
    expect(await parked.take("beta", 1000, forever)).toBe(other);
  });

  test("one that comes later goes to whoever waits", async () => {
    const parked = new ParkedSockets();
    const taking = parked.take("alpha", 5000, forever);
    const socket = new PassThrough();
    parked.park("alpha", "1", socket);
    expect(await taking).toBe(socket);
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
    for (const socket of sockets) parked.park("alpha", "1", socket);
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, false, false, false, false]);
    sockets[4]?.destroy();
    expect(await parked.take("alpha", 1000, forever)).toBe(sockets[3]);
  });

  test("those with a revoked certificate are closed", () => {
    const parked = new ParkedSockets();
    const [good, bad] = [new PassThrough(), new PassThrough()];
    parked.park("alpha", "1", good);
    parked.park("beta", "2", bad);
    parked.dropRevoked((serial) => serial === "2");
    expect([good.destroyed, bad.destroyed]).toEqual([false, true]);
  });
});
