import { describe, expect, test } from "vitest";
import { resolvePeer } from "../../../../../agent/engine/handshake/resolve-peer.js";

const { signal } = new AbortController();

describe("where a peer's address leads", () => {
  test.each([
    ["10.0.0.2:7444", { ip: "10.0.0.2", port: 7444 }],
    ["[fd00::2]:7444", { ip: "fd00::2", port: 7444 }],
  ])("%s is itself", async (address, expected) => {
    expect(await resolvePeer(address, signal)).toEqual(expected);
  });

  test("a name that means this host itself is refused with what it means", async () => {
    await expect(resolvePeer("localhost:7444", signal)).rejects.toMatchObject({
      kind: "unreachable",
      message: expect.stringMatching(/^localhost means nothing that a link may use \(.*, a loopback address/),
    });
  });

  test("a name that nobody knows is told as such", async () => {
    await expect(resolvePeer("nobody.invalid:7444", signal)).rejects.toMatchObject({
      kind: "unreachable",
      message: expect.stringMatching(/^nobody\.invalid cannot be resolved/),
    });
  });

  test("a lookup is not waited for when there is no more time", async () => {
    await expect(resolvePeer("nobody.invalid:7444", AbortSignal.abort())).rejects.toMatchObject({
      kind: "unreachable",
    });
  });
});
