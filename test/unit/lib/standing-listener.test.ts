import { describe, expect, test } from "vitest";
import { StandingListener } from "../../../lib/standing-listener.js";

// Nobody has an address of TEST-NET-1 (RFC 5737), and no name below .invalid (RFC 2606).
const absent = "192.0.2.1:7440";

describe("a listener on several addresses", () => {
  test("takes those that are there and says which are not, and why", async () => {
    const missing: string[][] = [];
    await using listener = await StandingListener.open(["127.0.0.1:0", absent, "x.invalid:1", "localhost:0"], {
      bind: async () => 7000,
      onMissing: (...told) => missing.push(told),
      onTaken: () => expect.unreachable(),
    });
    expect(listener.addresses).toEqual([
      "127.0.0.1:7000",
      absent,
      "x.invalid:1",
      expect.stringMatching(/^(?:127\.0\.0\.1|\[::1\]):7000$/),
    ]);
    expect(listener.missing).toEqual([absent, "x.invalid:1"]);
    expect(missing).toEqual([
      [absent, "192.0.2.1 is not an address of this machine now"],
      ["x.invalid:1", expect.stringMatching(/^its name cannot be resolved/)],
    ]);
  });

  test("does not begin when an address is there and cannot be used", async () => {
    const taken = new Error("another program uses it");
    const bind = async (): Promise<number> => Promise.reject(taken);
    const news = { onMissing: () => undefined, onTaken: () => undefined };
    await expect(StandingListener.open([absent, "127.0.0.1:1"], { ...news, bind })).rejects.toBe(taken);
  });
});
