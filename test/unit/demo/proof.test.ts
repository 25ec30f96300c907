import { describe, expect, it } from "vitest";
import { formatProof, pairsToProve, parsePing } from "../../../deploy/demo/proof.js";

const busybox = `PING 10.77.0.21 (10.77.0.21): 56 data bytes
64 bytes from 10.77.0.21: seq=0 ttl=64 time=1.251 ms

--- 10.77.0.21 ping statistics ---
5 packets transmitted, 4 packets received, 20% packet loss
round-trip min/avg/max = 0.900/1.120/1.251 ms
`;

const iputils = `--- 198.18.0.10 ping statistics ---
3 packets transmitted, 3 received, 0% packet loss, time 2003ms
rtt min/avg/max/mdev = 0.030/0.045/0.060/0.010 ms
`;

describe("the proof of a demo", () => {
  it.each([
    ["busybox", busybox, { sent: 5, received: 4, rttMs: { min: 0.9, average: 1.12, max: 1.251 } }],
    ["iputils", iputils, { sent: 3, received: 3, rttMs: { min: 0.03, average: 0.045, max: 0.06 } }],
    [
      "a ping of which nothing came back",
      "5 packets transmitted, 0 packets received, 100% packet loss",
      { sent: 5, received: 0, rttMs: undefined },
    ],
    ["a command that did not run", "sh: ping: not found", { sent: 0, received: 0, rttMs: undefined }],
  ])("reads the summary of %s", (_name, output, expected) => {
    expect(parsePing(output)).toEqual(expected);
  });

  it("covers machine to machine, machine to container and container to container, always across hosts", () => {
    const pairs = pairsToProve();
    expect(pairs.map(([from, to]) => `${from.kind} to ${to.kind}`)).toEqual(
      expect.arrayContaining(["machine to machine", "machine to container", "container to container"]),
    );
    expect(pairs.every(([from, to]) => from.host !== to.host)).toBe(true);
  });

  it("prints how much came back and how fast", () => {
    const [pair] = pairsToProve();
    if (pair === undefined) throw new Error("no pair");
    const line = formatProof({ from: pair[0], to: pair[1], result: parsePing(busybox) });
    expect(line).toContain("4/5 received (80 %), rtt min/avg/max 0.90/1.12/1.25 ms");
  });
});
