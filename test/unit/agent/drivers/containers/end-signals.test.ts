import { describe, expect, it } from "vitest";
import { toEndSignals } from "../../../../../agent/drivers/containers/end-signals.js";

const [HUP, INT, QUIT, TERM, PWR, halt] = [1, 2, 3, 15, 30, 37];

function statusOf(options: { name?: string; caught?: readonly number[]; blocked?: readonly number[] }): string {
  const mask = (signals: readonly number[] = []) =>
    signals
      .reduce((sum, signal) => sum | (1n << BigInt(signal - 1)), 0n)
      .toString(16)
      .padStart(16, "0");
  return `Name:\t${options.name ?? "init"}\nUmask:\t0022\nSigBlk:\t${mask(options.blocked)}\nSigIgn:\t${mask([INT])}\nSigCgt:\t${mask(options.caught)}\n`;
}

describe("the signals that ask a container to end", () => {
  it.each<[string, string, number, readonly number[], readonly number[]]>([
    ["SIGTERM first", statusOf({ caught: [TERM] }), 0, [TERM], []],
    ["SIGTERM first, whether or not it is heard yet", statusOf({}), 0, [TERM], []],
    ["SIGTERM again", statusOf({ caught: [TERM, INT] }), 1, [TERM], []],
    ["then what else it hears, in turn", statusOf({ caught: [TERM, INT, QUIT, HUP] }), 2, [TERM, QUIT], []],
    ["then what else it hears, in turn", statusOf({ caught: [TERM, INT, QUIT, HUP] }), 3, [TERM, INT], []],
    ["SIGTERM to one that waits for signals", statusOf({ blocked: [TERM] }), 1, [TERM], []],
    ["only what it hears, and SIGTERM to the others", statusOf({ caught: [PWR] }), 1, [PWR], [TERM]],
    ["SIGTERM to the others of one that hears nothing", statusOf({}), 1, [TERM], [TERM]],
    ["SIGRTMIN+3 to systemd", statusOf({ name: "systemd", blocked: [TERM, halt] }), 0, [halt], []],
    ["SIGTERM to who only calls itself so", statusOf({ name: "systemd" }), 0, [TERM], []],
    ["SIGTERM to one of which nothing is known", "", 0, [TERM], []],
  ])("are %s", (_what, processStatus, attempt, first, others) => {
    expect(toEndSignals(processStatus, attempt)).toEqual({ first, others });
  });
});
