import { expect, it } from "vitest";
import { withSource } from "../../../../agent/relay/sflow.js";

/** Version 5, agent 127.0.0.1, sub-agent 0, then what stays. */
const told = Buffer.from("00000005000000017f000001000000000000002a0000000100000000", "hex");
const rest = "0000002a0000000100000000";

it("gives a datagram another agent, of either version of IP, and another sub-agent", () => {
  expect(withSource(told, { address: "10.0.0.9", subAgent: 258 }).toString("hex")).toBe(
    `00000005000000010a00000900000102${rest}`,
  );
  expect(withSource(told, { address: "fd00::9", subAgent: 0xffff_ffff }).toString("hex")).toBe(
    `0000000500000002fd000000000000000000000000000009ffffffff${rest}`,
  );
});

it.each([
  ["another version", Buffer.from(`00000004${told.subarray(4).toString("hex")}`, "hex")],
  ["one that is cut off", told.subarray(0, 14)],
  ["nothing", Buffer.alloc(0)],
  ["an agent of no known kind", Buffer.from(`0000000500000003${told.subarray(8).toString("hex")}`, "hex")],
])("leaves %s as it is", (_, datagram) => {
  expect(withSource(datagram, { address: "10.0.0.9", subAgent: 1 })).toBe(datagram);
});

it("leaves one as it is when the collector cannot be reached, and no address is known", () => {
  expect(withSource(told, { address: "", subAgent: 1 })).toBe(told);
});
