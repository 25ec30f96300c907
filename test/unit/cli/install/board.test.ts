import { Writable } from "node:stream";
import { expect, it } from "vitest";
import { Board } from "../../../../tui/cli/install/board.js";

it("tells of a host without a terminal a line a step, and a line each tenth of what is sent, each host for itself", () => {
  const written: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: string, _encoding, done) => {
      written.push(chunk.trimEnd());
      done();
    },
  });
  const io = {
    terminal: { input: process.stdin, output: stream },
    errors: stream,
    env: {},
    signal: new AbortController().signal,
  };
  using board = new Board(io, false);
  const [alpha, beta] = [board.add("alpha"), board.add("beta")];
  for (let done = 0; done <= 60; done++) {
    board.step(alpha, `sends ${done} of 60 MB`);
    board.step(beta, `packages: sends ${done} of 60 MB`);
  }
  board.step(alpha, "unpacks");
  const of = (name: string): number => written.filter((line) => line.startsWith(`${name}:`)).length;
  expect([of("alpha"), of("beta")]).toEqual([12, 11]);
  expect(written.at(-1)).toBe("alpha: unpacks");
});
