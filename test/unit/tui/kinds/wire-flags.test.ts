import { expect, test } from "vitest";
import { wireCommands } from "../../../../tui/kinds/wire/flags.js";

test("a wire whose name is not said is called after its ends", () => {
  const nameOf = (...words: string[]) => wireCommands.create?.nameOf?.(words, {});
  expect(nameOf("alpha/r1:eth1", "alpha/r2:eth2")).toBe("alpha/r1-eth1-r2-eth2");
  expect(nameOf("hosts/alpha/instances/r1:eth1", "alpha/r2:eth2")).toBe("alpha/r1-eth1-r2-eth2");
  for (const words of [
    ["alpha/r1:eth1", "r2:eth2"],
    ["alpha/r1", "alpha/r2:eth2"],
  ])
    expect(() => nameOf(...words)).toThrow("HOST/INSTANCE:NIC");
});

test("between two hosts it is a link, which is named without a host", () => {
  const words = ["alpha/r1:eth1", "beta/r2:eth2"];
  expect(wireCommands.create?.nameOf?.(words, {})).toBe("r1-eth1-r2-eth2");
  expect(wireCommands.create?.kindOf?.(words, {})).toBe("link");
  expect(wireCommands.create?.kindOf?.(["alpha/r1:eth1", "alpha/r2:eth2"], {})).toBeUndefined();
  expect(() => wireCommands.create?.kindOf?.(words, { cut: true })).toThrow("--cut");
});

test("ends on two hosts are refused with what to do", async () => {
  const resolve = async (_kind: string, word: string) => `hosts/${word.split("/")[0]}/instances/${word.split("/")[1]}`;
  const input = { words: ["alpha/r1:eth1", "beta/r2:eth2"], values: {}, resolve };
  const read = async () => await wireCommands.create?.read(input as never);
  await expect(read()).rejects.toThrow("HOST/INSTANCE:NIC");
});
